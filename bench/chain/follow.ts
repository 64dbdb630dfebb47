import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ANSWER_FIELDS, type LoadResult } from '../load/plan.ts'
import { type Moments, runLoad, writeRequests } from '../load/run-load.ts'
import { machineMs } from '../machine-clock.ts'
import { makeBatches, makeSingles } from '../workload.ts'
import type { Chain } from './start-chain.ts'
import type { PositionWatch } from './watch-positions.ts'

/** A load at a fixed rate. */
export interface Load {
  readonly eventsPerSecond: number
  readonly seconds: number
  /** Events of a request; 1 is the route for single ones. */
  readonly batch: number
}

/** An event that was acknowledged; times by `machineMs`. */
export interface Sent {
  readonly dueMs: number
  readonly answeredMs: number
  /** Null: not seen. */
  readonly visibleMs: number | null
}

interface Following extends Moments {
  readonly watch: PositionWatch
  /** How long after the last answer events are waited for; default: a minute. */
  readonly drainMs?: number
}

const CONNECTIONS = 128
const DRAIN_MS = 60_000
const POLL_MS = 50

/** Offers events to a chain and follows each into PostgreSQL. */
export async function sendAndFollow(
  chain: Chain,
  load: Load,
  { watch, drainMs = DRAIN_MS, ...moments }: Following
): Promise<{ readonly result: LoadResult; readonly events: readonly Sent[] }> {
  const { site } = chain.servers
  const answersFile = join(site.dataFolder, 'answers.bin')
  const result = await runLoad(site, toPlan(chain, load, answersFile), moments)
  const bytes = readFileSync(answersFile)
  const numbers = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float64Array.BYTES_PER_ELEMENT)
  const untilMs = machineMs() + drainMs
  for (const [partition, offset] of findLast(numbers))
    while (watch.findVisibleMs(partition, offset) === null && machineMs() < untilMs) await sleep(POLL_MS)

  const events = Array.from({ length: numbers.length / ANSWER_FIELDS }, (_, index) => {
    const [dueMs = 0, answeredMs = 0, partition = 0, offset = 0] = numbers.subarray(index * ANSWER_FIELDS)
    return { dueMs, answeredMs, visibleMs: watch.findVisibleMs(partition, offset) }
  })
  return { result, events }
}

function toPlan({ gateway, servers }: Chain, { eventsPerSecond, seconds, batch }: Load, answersFile: string) {
  const requests = batch === 1 ? makeSingles() : makeBatches(batch)
  return {
    ...{ url: gateway.url, connections: CONNECTIONS, seconds, expectedStatus: 202, answersFile },
    requestsPerSecond: eventsPerSecond / batch,
    requestsFile: writeRequests(servers.site, `requests-${batch}`, requests)
  }
}

/** The last offset of each partition. */
function findLast(numbers: Float64Array): Map<number, number> {
  const last = new Map<number, number>()
  for (let at = 0; at < numbers.length; at += ANSWER_FIELDS) {
    const [partition, offset] = [numbers[at + 2] as number, numbers[at + 3] as number]
    last.set(partition, Math.max(offset, last.get(partition) ?? 0))
  }
  return last
}
