import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Expected, HistoryWriter, SendOutcome } from './history.ts'
import { createHttpClient } from './http-client.ts'
import { toOutcome, toOutcomes } from './outcome.ts'
import type { Random } from './random.ts'
import { PRODUCE_TIMEOUT_MS } from './system.ts'

/** How the load is made. */
export interface GeneratorOptions {
  readonly random: Random
  readonly history: HistoryWriter
  /** The gateways; a retry goes to the next one. */
  readonly urls: readonly string[]
  readonly events: number
  readonly eventsPerSecond: number
  /** With one, a retry is the same event; without, another one. */
  readonly useIdempotencyKeys: boolean
  /** Share of poison in the topics that take some. */
  readonly poisonShare?: number
}

/** A load that is running. */
export interface Load {
  /** Resolves when every request has its outcome. */
  readonly done: Promise<void>
  /** Sends nothing more. */
  stop(): void
}

interface Planned {
  readonly ref: string
  readonly topic: string
  readonly key: string
  readonly seq: number
  readonly expected: Expected
  readonly text: string
}

interface Target {
  readonly topic: string
  readonly weight: number
  /** Of an event that nothing is wrong with; an effect, where it does not say. */
  readonly fate?: Expected
  /** What may be wrong with an event, and what then becomes of it. */
  readonly kinds: readonly (readonly [kind: string, expected: Expected])[]
}

const TARGETS: readonly Target[] = [
  { topic: 'entries', weight: 55, kinds: [] },
  {
    topic: 'ledger',
    weight: 20,
    kinds: [
      ['throw-once', 'effect'],
      ['throw', 'dead']
    ]
  },
  {
    topic: 'laggards',
    weight: 1,
    fate: 'either',
    kinds: [
      ['write-late', 'dead'],
      ['sleep-in-sql', 'dead']
    ]
  },
  { topic: 'orders', weight: 10, kinds: [] },
  {
    topic: 'poison',
    weight: 15,
    kinds: [
      ['throw-once', 'effect'],
      ['throw', 'dead'],
      ['throw-odd', 'dead'],
      ['give-up', 'dead'],
      ['hang', 'dead'],
      ['bad-row', 'dead'],
      ['bad-row', 'dead']
    ]
  }
]
const BATCHES = [10, 25, 50, 100] as const
const SINGLE_SHARE = 0.5
const KEYS = 60
const CLIENT_TIMEOUT_MS = PRODUCE_TIMEOUT_MS + 2_500
const MAX_TRIES = 3
const RETRIED_SHARE = 0.6
const RETRY_WAIT_MS = 150
// A request whose gateway died stays in flight for as long as a produce may take.
const MAX_TRIES_IN_FLIGHT = 12
const IN_FLIGHT_WAIT_MS = 1_000
const IN_FLIGHT = 400

/**
 * Sends events at the times of a plan, whatever becomes of those before (an open loop): a slow system does not make the
 * load smaller. Every request is a line of the history.
 */
export function startLoad(options: GeneratorOptions): Load {
  const { history, urls, events, eventsPerSecond, useIdempotencyKeys, poisonShare = 0.01 } = options
  const random = options.random.fork('load')
  const client = createHttpClient()
  const sequences = new Map<string, number>()
  const totalWeight = TARGETS.reduce((sum, { weight }) => sum + weight, 0)
  const inFlight = new Set<Promise<void>>()
  let requests = 0
  let refs = 0
  let isStopped = false

  return {
    done: run(),
    stop() {
      isStopped = true
    }
  }

  async function run(): Promise<void> {
    const startMs = Date.now()
    for (let planned = 0; planned < events && !isStopped; ) {
      const scheduledMs = startMs + (planned / eventsPerSecond) * 1000
      const waitMs = scheduledMs - Date.now()
      if (waitMs > 1) await sleep(waitMs)
      const target = pickTarget()
      const isSingle = random.chance(SINGLE_SHARE) || events - planned === 1
      const burst = isSingle ? random.integer(1, 6) : 1
      for (let index = 0; index < burst && planned < events; index += 1) {
        const count = isSingle ? 1 : Math.min(random.pick(BATCHES), events - planned)
        const batch = Array.from({ length: count }, () => plan(target))
        planned += count
        // More would only wait in this process, and sockets are not what is tested here.
        if (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight)
        const sending = send(batch, { scheduledMs, isSingle, random: random.fork(`request-${requests}`) })
        inFlight.add(sending)
        void sending.finally(() => inFlight.delete(sending))
      }
    }
    await Promise.all(inFlight)
    client.close()
  }

  function pickTarget(): Target {
    let left = random.next() * totalWeight
    for (const target of TARGETS) {
      left -= target.weight
      if (left < 0) return target
    }
    return TARGETS[0] as Target
  }

  function plan({ topic, kinds, fate = 'effect' }: Target): Planned {
    const key = `k${random.integer(0, KEYS - 1)}`
    const place = `${topic}/${key}`
    const seq = (sequences.get(place) ?? 0) + 1
    sequences.set(place, seq)
    refs += 1
    const ref = `h${refs}`
    const isPoison = kinds.length > 0 && random.chance(poisonShare)
    const [kind, expected] = isPoison ? random.pick(kinds) : [undefined, fate]
    const event = { ref, key, seq, kind, pad: 'x'.repeat(random.integer(0, 200)) }
    return { ref, topic, key, seq, expected, text: JSON.stringify(event) }
  }

  async function send(
    batch: readonly Planned[],
    { scheduledMs, isSingle, random: own }: { scheduledMs: number; isSingle: boolean; random: Random }
  ): Promise<void> {
    const first = own.integer(0, urls.length - 1)
    const isRetried = own.chance(RETRIED_SHARE)
    const idempotencyKey = useIdempotencyKeys ? randomUUID() : null
    let left: readonly Planned[] = batch

    let waits = 0

    for (let tries = 0; tries < MAX_TRIES + waits && left.length > 0; tries += 1) {
      const url = urls[(first + tries) % urls.length] ?? ''
      // Without a key, what is sent again is another event.
      const events = tries === 0 || idempotencyKey ? left : left.map(event => rename(event, tries))
      const outcomes = await post(url, events, { scheduledMs, isSingle, idempotencyKey })
      const isDone = (outcome: SendOutcome | undefined) => outcome?.kind === 'acked' || isFinal(outcome)
      left = idempotencyKey ? (outcomes.every(isDone) ? [] : left) : left.filter((_, index) => !isDone(outcomes[index]))
      if (!isRetried) return
      const isInFlight = left.length > 0 && outcomes.every(isStillInFlight)
      if (isInFlight && waits < MAX_TRIES_IN_FLIGHT) waits += 1
      if (left.length > 0) await sleep(isInFlight ? IN_FLIGHT_WAIT_MS : RETRY_WAIT_MS * (tries + 1))
    }
  }

  async function post(
    url: string,
    events: readonly Planned[],
    { scheduledMs, isSingle, idempotencyKey }: { scheduledMs: number; isSingle: boolean; idempotencyKey: string | null }
  ): Promise<SendOutcome[]> {
    const topic = events[0]?.topic ?? ''
    const texts = events.map(({ text }) => text)
    const path = isSingle ? `/api/produce/${topic}` : `/api/produce/${topic}/batch`
    const body = isSingle ? (texts[0] ?? '') : `{"events":[${texts.join(',')}]}`
    const headers: Record<string, string> = idempotencyKey ? { 'idempotency-key': idempotencyKey } : {}
    const sentMs = Date.now()
    const answer = await client.post(`${url}${path}`, body, { timeoutMs: CLIENT_TIMEOUT_MS, headers })
    const answeredMs = Date.now()
    const outcomes = isSingle ? [toOutcome(answer)] : toOutcomes(answer, events.length)

    requests += 1
    const request = requests
    events.forEach(({ ref, key, seq, expected }, index) => {
      const outcome = outcomes[index] ?? { kind: 'unknown', reason: 'no result in the answer' }
      const times = { request, scheduledMs, sentMs, answeredMs }
      history.add({ ref, topic, key, seq, expected, from: 'http', idempotencyKey, ...times, outcome })
    })
    return outcomes
  }

  function rename(event: Planned, tries: number): Planned {
    const ref = `${event.ref}.${tries}`
    return { ...event, ref, text: JSON.stringify({ ...JSON.parse(event.text), ref }) }
  }
}

/** The answer asks to come again for that of the one before. */
function isStillInFlight(outcome: SendOutcome): boolean {
  return outcome.kind === 'refused' && outcome.reason === 'SMG_GATEWAY_KEY_IN_FLIGHT'
}

function isFinal(outcome: SendOutcome | undefined): boolean {
  if (outcome && isStillInFlight(outcome)) return false
  return outcome?.kind === 'refused' && outcome.status >= 400 && outcome.status < 500 && outcome.status !== 429
}
