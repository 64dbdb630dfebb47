import type { OutboxEntry } from '../db/queries/outbox.ts'
import { partitionOf } from '../kafka/murmur2.ts'
import { sdkErrors } from '../sdk/errors.ts'
import { deriveEventId, timestampMsOf } from '../sdk/event-id.ts'
import { type IdentifiedRecord, toTime } from '../sdk/record.ts'
import { describe, type Published, type SettleDependencies } from '../sdk/settle-record.ts'
import { findTraceparent, traceIdOf } from '../sdk/trace.ts'
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
  partitionCountOf: (topic: string) => number,
  onEntries: () => void = () => undefined
): ToOutboxEntries {
  return (record, published, nowMs) => {
    onEntries()
    // What a function does about an event belongs to the same trace.
    const traceparent = traceIdOf(record) && findTraceparent(record)
    return published.map(({ topic, key, value }, index) => {
      const eventId = deriveEventId(timestampMsOf(record.id), [record.id, 'published', topic, String(index)])
      return {
        topic,
        // Without a key any partition will do, as long as it is the same for every copy.
        partition: partitionOf(key ?? Buffer.from(eventId), partitionCountOf(topic)),
        eventId,
        key: toBase64(key),
        value: toBase64(value),
        headers: toHeaders({
          id: eventId,
          'content-type': 'application/json',
          'producer-id': PRODUCER_ID,
          ...(traceparent && { traceparent })
        }),
        timestamp: toTime(nowMs)
      }
    })
  }
}

/**
 * Builds the taking of what a function publishes: it must be an event of a function, as the runner of that one will read
 * it. All that can fail is done in the attempt that publishes, and not in the transaction after it.
 */
export function createPublisher(functions: ReadonlyMap<string, LoadedFunction>): SettleDependencies['toPublished'] {
  return (topic, event) => {
    const refuse = (why: string) => new sdkErrors.SMG_SDK_BAD_PUBLISH(topic, why)
    const target = functions.get(topic)
    if (!target) throw refuse(`there is no function of that name; there are ${[...functions.keys()].join(', ')}`)
    const value = Buffer.from(JSON.stringify(event) ?? '')
    if (value.length > MAX_EVENT_BYTES) throw refuse(`it has ${value.length} bytes; ${MAX_EVENT_BYTES} are allowed`)
    const key = target.key(parse(target, value))
    return { topic, key: key === null ? null : Buffer.from(key), value }

    function parse({ parseEvent }: LoadedFunction, bytes: Buffer): unknown {
      try {
        return parseEvent(bytes)
      } catch (error) {
        throw refuse(describe(error))
      }
    }
  }
}

function toHeaders(texts: Readonly<Record<string, string>>): OutboxEntry['headers'] {
  return Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')])
}
