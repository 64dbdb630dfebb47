import type { Expected, HistoryLine } from '../history.ts'
import { createHttpClient, type HttpClient } from '../http-client.ts'
import { toOutcomes } from '../outcome.ts'
import type { FaultContext } from './fault.ts'

/** An event that a fault sends beside the load. */
export interface OwnEvent {
  readonly ref: string
  readonly key: string
  readonly seq: number
  readonly kind?: string
  readonly version?: number
  /** An effect, where it does not say. */
  readonly expected?: Expected
}

const TIMEOUT_MS = 15_000
const REQUEST = -4
const KEYS = 20

/**
 * Sends events in one batch, and writes what becomes of them into the history; gives those lines.
 *
 * @param options.client whose connections are used; a connection of its own without
 */
export async function sendOwn(
  { history }: Pick<FaultContext, 'history'>,
  { url, topic, events, client }: { url: string; topic: string; events: readonly OwnEvent[]; client?: HttpClient }
): Promise<HistoryLine[]> {
  const sender = client ?? createHttpClient()
  const body = JSON.stringify({ events: events.map(({ expected: _, ...event }) => event) })
  const sentMs = Date.now()
  const answer = await sender.post(`${url}/api/produce/${topic}/batch`, body, { timeoutMs: TIMEOUT_MS })
  if (!client) sender.close()
  const times = { request: REQUEST, scheduledMs: sentMs, sentMs, answeredMs: Date.now() }
  const outcomes = toOutcomes(answer, events.length)
  return events.map(({ ref, key, seq, expected = 'effect' }, index) => {
    const outcome = outcomes[index] ?? { kind: 'unknown', reason: 'no result in the answer' }
    const line = { ref, topic, key, seq, expected, from: 'http', idempotencyKey: null, ...times, outcome } as const
    history.add(line)
    return line
  })
}

/**
 * Makes events of some keys, in batches.
 *
 * @param options.name begins their refs and their keys
 */
export function* makeBatches(options: {
  name: string
  count: number
  size: number
  kind?: string
}): Generator<OwnEvent[]> {
  const { name, count, size, kind } = options
  for (let first = 0; first < count; first += size) {
    yield Array.from({ length: Math.min(size, count - first) }, (_, index) => {
      const number = first + index
      const seq = Math.floor(number / KEYS) + 1
      return { ref: `${name}-${number}`, key: `${name}-k${number % KEYS}`, seq, ...(kind && { kind }) }
    })
  }
}
