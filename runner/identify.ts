import type { FetchedRecord } from '../kafka/types.ts'
import { deriveEventId, isEventId } from '../sdk/event-id.ts'
import { type IdentifiedRecord, textOf } from '../sdk/record.ts'

/** What gateway and relay write into the header `producer-id`. */
export const PRODUCER_ID = 'smg-kafka-producer'

const WITH_ZONE = /(Z|[+-]\d\d:\d\d)$/i

/** Where a record lies. */
export interface Place {
  readonly topic: string
  /** Null where the broker does not tell: then the name has to do. */
  readonly topicId: string | null
  readonly partition: number
}

/**
 * Gives a record the id of its event. The same record always gets the same id; its header `id` counts only from the
 * gateway, because people put the ids of orders there, and frameworks copy headers from topic to topic.
 */
export function identify(record: FetchedRecord, place: Place): IdentifiedRecord {
  const { topic, partition } = place
  const { offset, timestampMs, key, value, headers } = record
  const id = findStatedId(record, topic) ?? idFromPlace(record, place)
  return { id, topic, partition, offset, timestampMs, key, value, headers }
}

/** The id that a record's headers give it, the gateway's or of CloudEvents; null when they give none. */
export function findStatedId(record: Pick<FetchedRecord, 'headers'>, topic: string): string | null {
  return idFromGateway(record) ?? idFromCloudEvent(record, topic)
}

/** The id of a record by where it lies and what it holds, whatever its headers say. */
export function idFromPlace(record: FetchedRecord, { topic, topicId, partition }: Place): string {
  const { offset, timestampMs, key, value } = record
  return deriveEventId(timestampMs, [topicId ?? topic, String(partition), offset, String(timestampMs), key, value])
}

function idFromGateway({ headers }: Pick<FetchedRecord, 'headers'>): string | null {
  if (findFirst(headers, 'producer-id') !== PRODUCER_ID) return null
  const id = findFirst(headers, 'id')
  return id !== null && isEventId(id) ? id : null
}

/** The text of the first header of a name that has a value; as `textOf` makes it, which is the same for plain text. */
function findFirst(headers: FetchedRecord['headers'], name: string): string | null {
  for (let index = 0; index < headers.length; index += 1) {
    const header = headers[index]
    if (header && header[0] === name && header[1] !== null) return textOf(header, index)
  }
  return null
}

// CloudEvents over Kafka, binary mode: source and id name the event, wherever and however often it was produced.
function idFromCloudEvent({ headers }: Pick<FetchedRecord, 'headers'>, topic: string): string | null {
  const source = findText(headers, 'ce_source')
  const id = findText(headers, 'ce_id')
  if (source === null || id === null) return null

  const time = findText(headers, 'ce_time')
  // Without a zone it would be the time of this machine, and another id on another one.
  const ms = time !== null && WITH_ZONE.test(time) ? Date.parse(time) : 0
  return deriveEventId(Number.isNaN(ms) ? 0 : ms, ['ce', topic, source, id, time])
}

function findText(headers: FetchedRecord['headers'], name: string): string | null {
  for (const [header, value] of headers) {
    if (header === name && value !== null) return value.toString('utf8')
  }
  return null
}
