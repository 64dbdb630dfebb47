import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Backlog, createOutboxQueries, OutboxRow } from '../db/queries/outbox.ts'
import { toFailureKind } from '../kafka/failure.ts'
import type { OutgoingRecord, Producer } from '../kafka/types.ts'
import { pause } from './patience.ts'
import { createWakeUp } from './wake-up.ts'

const POLL_MS = 1_000
const LONGEST_RETRY_MS = 5_000
const BACKLOG_MS = 10_000
const SETTLE_MS = 20
const LEASE_MS = 30_000
const SEND_TIMEOUT_MS = 10_000
const BATCH = { limit: 500, maxBytes: 2 * 1024 * 1024 }
const MAX_REFUSAL = 1_000
// What no time heals; NO_TOPIC and REFUSED (mostly a permission) are mended by someone, and wait for that.
const FINAL_CODES = new Set<unknown>(['SMG_KAFKA_TOO_LARGE', 'SMG_KAFKA_BAD_RECORD'])
const FINAL_KINDS = new Set<unknown>(['size', 'record'])

/** Sends the outbox to Kafka. */
export interface Relay {
  start(): void
  /** Something was put into the outbox. */
  wake(): void
  stop(): Promise<void>
}

export interface RelayDependencies {
  readonly outbox: ReturnType<typeof createOutboxQueries>
  readonly producer: Pick<Producer, 'append' | 'partitionCount'>
  readonly log: Logger
  /** Told every 10 s what waits. */
  readonly onBacklog?: (backlog: Backlog) => void
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/** How a partition that fails is tried again. */
interface Trouble {
  readonly failures: number
  /** Of `performance.now()`. */
  readonly retryAtMs: number
}

/**
 * Builds the relay of one runner. A partition has one sender at a time, by lease, which sends the oldest event that is
 * there and never goes past one that Kafka has not acknowledged: a sender that froze and comes back only repeats, and
 * the first copies stay in order. An event that Kafka will never take is set aside, and what follows goes on. Partitions
 * do not wait for one another.
 */
export function createRelay({ outbox, producer, log, onBacklog = () => undefined }: RelayDependencies): Relay {
  const owner = randomUUID()
  const stopping = new AbortController()
  const changed = createWakeUp()
  const sending = new Map<string, Promise<void>>()
  const troubles = new Map<string, Trouble>()
  let loop: Promise<void> | null = null
  let isFailing = false
  let reportAtMs = 0

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        for (const place of await outbox.pending()) begin(place)
        if (performance.now() >= reportAtMs) {
          onBacklog(await outbox.backlog())
          reportAtMs = performance.now() + BACKLOG_MS
        }
        isFailing = false
        // What another runner sends, or Kafka refuses for now, is looked at again later.
        await changed.wait(POLL_MS)
      } catch (error) {
        if (!isFailing) log.warn({ err: error }, 'the outbox cannot be read: waiting')
        isFailing = true
        await pause(POLL_MS, stopping.signal)
      }
    }
    await Promise.all(sending.values())
  }

  /** Begins to send a partition, unless that is under way or has to wait. */
  function begin(place: Place): void {
    const name = `${place.topic}/${place.partition}`
    if (sending.has(name) || (troubles.get(name)?.retryAtMs ?? 0) > performance.now()) return
    sending.set(
      name,
      sendAll(name, place).finally(() => sending.delete(name))
    )
  }

  /** Sends a partition until nothing is left, or it fails. Never rejects. */
  async function sendAll(name: string, place: Place): Promise<void> {
    try {
      while (!stopping.signal.aborted && (await drain(place)))
        if (troubles.delete(name)) log.info(place, 'the outbox of the partition goes on')
    } catch (error) {
      const failures = (troubles.get(name)?.failures ?? 0) + 1
      // The first is told; with every further one a topic that is missing for a day would fill the log.
      const level = failures === 1 ? 'warn' : 'debug'
      log[level]({ err: error, ...place }, 'Kafka does not take the outbox of the partition: it is sent again')
      const waitMs = Math.min(POLL_MS * 2 ** Math.min(failures - 1, 10), LONGEST_RETRY_MS)
      troubles.set(name, { failures, retryAtMs: performance.now() + waitMs })
    }
  }

  /**
   * Sends a batch of one partition; gives whether there may be more.
   *
   * @throws the first failure that may pass; what comes before it is done with
   */
  async function drain({ topic, partition }: Place): Promise<boolean> {
    if (!(await outbox.claim(topic, partition, owner, LEASE_MS))) return false
    const rows = await outbox.read(topic, partition, BATCH)
    if (rows.length === 0) return false

    // A dead letter's copy has its source's partition, which the topic of the copies may not have.
    const target = partition % (await producer.partitionCount(topic))
    const results = await producer.append(
      topic,
      rows.map(row => toRecord(row, target)),
      { timeoutMs: SEND_TIMEOUT_MS }
    )
    const errors = results.map(result => ('error' in result ? result.error : null))
    const firstToWait = errors.findIndex(error => error !== null && !isFinal(error))
    const done = firstToWait === -1 ? rows : rows.slice(0, firstToWait)
    const sent = done.filter((_, index) => errors[index] === null)
    if (sent.length > 0) await outbox.remove(sent.map(({ sequence }) => sequence))

    for (const [index, row] of done.entries()) {
      const error = errors[index]
      if (error) await setAside(row, error, { topic, partition })
    }
    if (firstToWait !== -1) throw errors[firstToWait] as Error
    return true
  }

  async function setAside({ sequence }: OutboxRow, error: Error, place: Place): Promise<void> {
    if (!(await outbox.refuse(sequence, toRefusal(error)))) return
    log.error({ err: error, ...place, sequence }, 'Kafka will never take this event of the outbox: it is set aside')
  }

  return {
    start() {
      loop = run()
    },
    // Events are announced a moment before they are committed: to look at once would be to look too early.
    wake: () => void setTimeout(changed.wake, SETTLE_MS),
    async stop() {
      stopping.abort()
      changed.wake()
      await loop
      await outbox
        .release(owner)
        .catch(error => log.debug({ err: error }, 'the leases of the outbox expire by themselves'))
    }
  }
}

function isFinal(error: Error): boolean {
  return FINAL_CODES.has((error as { code?: unknown }).code) || FINAL_KINDS.has(toFailureKind(error))
}

function toRefusal(error: Error): string {
  const text = `${(error as { code?: unknown }).code ?? error.name}: ${error.message}`
  return text.slice(0, MAX_REFUSAL).toWellFormed().replaceAll('\u0000', '\ufffd')
}

function toRecord({ key, value, headers, timestampMs }: OutboxRow, partition: number): OutgoingRecord {
  const headerList = headers.map(
    ([name, base64]) => [name, base64 === null ? null : Buffer.from(base64, 'base64')] as const
  )
  return { partition, key, value, headers: {}, headerList, timestampMs }
}
