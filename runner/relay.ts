import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { createOutboxQueries, OutboxRow } from '../db/queries/outbox.ts'
import type { OutgoingRecord, Producer } from '../kafka/types.ts'
import { pause } from './patience.ts'
import { createWakeUp } from './wake-up.ts'

const POLL_MS = 1_000
const SETTLE_MS = 20
const LEASE_MS = 30_000
const SEND_TIMEOUT_MS = 10_000
const BATCH = 500

/** Sends the outbox to Kafka. */
export interface Relay {
  start(): void
  /** Something was put into the outbox. */
  wake(): void
  stop(): Promise<void>
}

export interface RelayDependencies {
  readonly outbox: ReturnType<typeof createOutboxQueries>
  readonly producer: Pick<Producer, 'append'>
  readonly log: Logger
}

/**
 * Builds the relay of one runner. A partition has one sender at a time, by lease, which sends the oldest event that is
 * there and never goes past one that Kafka has not acknowledged: a sender that froze and comes back only repeats, and
 * the first copies stay in order. Partitions do not wait for one another.
 */
export function createRelay({ outbox, producer, log }: RelayDependencies): Relay {
  const owner = randomUUID()
  const stopping = new AbortController()
  const changed = createWakeUp()
  let loop: Promise<void> | null = null
  let isFailing = false

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const pending = await outbox.pending()
        const results = await Promise.all(pending.map(({ topic, partition }) => drain(topic, partition)))
        isFailing = false
        // What another runner sends, or Kafka refuses for now, is looked at again later.
        if (pending.length === 0 || !results.includes(true)) await changed.wait(POLL_MS)
      } catch (error) {
        if (!isFailing) log.warn({ err: error }, 'the outbox cannot be sent: waiting')
        isFailing = true
        await pause(POLL_MS, stopping.signal)
      }
    }
  }

  /** Sends a batch of one partition; gives whether anything left. */
  async function drain(topic: string, partition: number): Promise<boolean> {
    if (!(await outbox.claim(topic, partition, owner, LEASE_MS))) return false
    const rows = await outbox.read(topic, partition, BATCH)
    if (rows.length === 0) return false

    const results = await producer.append(
      topic,
      rows.map(row => toRecord(row, partition)),
      { timeoutMs: SEND_TIMEOUT_MS }
    )
    const failed = results.findIndex(result => 'error' in result)
    const sent = failed === -1 ? rows : rows.slice(0, failed)
    if (sent.length > 0) await outbox.remove(sent.map(({ sequence }) => sequence))
    if (failed !== -1) {
      const { error } = results[failed] as { error: Error }
      log.warn(
        { err: error, topic, partition, sequence: rows[failed]?.sequence },
        'Kafka did not take an event of the outbox: it is sent again'
      )
    }
    return sent.length > 0
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

function toRecord({ key, value, headers, timestampMs }: OutboxRow, partition: number): OutgoingRecord {
  const entries = headers.map(([name, base64]) => [name, Buffer.from(base64 ?? '', 'base64')] as const)
  return { partition, key, value, headers: Object.fromEntries(entries), timestampMs }
}
