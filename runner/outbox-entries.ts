import type { OutboxEntry } from '../db/queries/outbox.ts'
import { partitionOf } from '../kafka/murmur2.ts'
import { deriveEventId, timestampMsOf } from '../sdk/event-id.ts'
import { type IdentifiedRecord, toTime } from '../sdk/record.ts'
import { describe, type Published } from '../sdk/settle-record.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { toBase64 } from './dead-letter.ts'
import { PRODUCER_ID } from './identify.ts'

const MAX_EVENT_BYTES = 1024 * 1024

/** Makes outbox entries of what a handled record published. */
export type ToOutboxEntries = (
  record: IdentifiedRecord,
  published: readonly Published[],
  nowMs: number
) => OutboxEntry[]

/**
 * Builds the making of outbox entries. The id of a published event comes from the event that caused it, so that it is
 * the same however often it is sent.
 *
 * @param onEntries called when there are some, a moment before they are committed
 */
export function createOutboxEntries(
  functions: ReadonlyMap<string, LoadedFunction>,
  partitionCountOf: (topic: string) => number,
  onEntries: () => void = () => undefined
): ToOutboxEntries {
  return (record, published, nowMs) => {
    onEntries()
    return published.map(({ topic, event }, index) => {
      const eventId = deriveEventId(timestampMsOf(record.id), [record.id, 'published', topic, String(index)])
      const key = functions.get(topic)?.key(event) ?? null
      const bytes = key === null ? null : Buffer.from(key)
      return {
        topic,
        // Without a key any partition will do, as long as it is the same for every copy.
        partition: partitionOf(bytes ?? Buffer.from(eventId), partitionCountOf(topic)),
        eventId,
        key: toBase64(bytes),
        value: toBase64(Buffer.from(JSON.stringify(event))),
        headers: toHeaders({ id: eventId, 'content-type': 'application/json', 'producer-id': PRODUCER_ID }),
        timestamp: toTime(nowMs)
      }
    })
  }
}

/**
 * Builds the check of what a function publishes: it must be an event of a function, as the runner of that one will read
 * it. A `key` that throws fails the attempt that publishes, and not the transaction after it.
 */
export function createPublishCheck(functions: ReadonlyMap<string, LoadedFunction>) {
  return (topic: string, event: unknown): string | null => {
    const target = functions.get(topic)
    if (!target) return `there is no function of that name; there are ${[...functions.keys()].join(', ')}`
    const bytes = Buffer.from(JSON.stringify(event) ?? '')
    if (bytes.length > MAX_EVENT_BYTES) return `it has ${bytes.length} bytes; ${MAX_EVENT_BYTES} are allowed`
    try {
      target.parseEvent(bytes)
    } catch (error) {
      return describe(error)
    }
    target.key(event)
    return null
  }
}

function toHeaders(texts: Readonly<Record<string, string>>): OutboxEntry['headers'] {
  return Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')])
}
