import type { ImportedLetter } from '../../db/queries/dead-letter-import.ts'
import type { FetchedRecord } from '../../kafka/types.ts'
import { createEventId, deriveEventId, isEventId } from '../../sdk/event-id.ts'
import { toTime } from '../../sdk/record.ts'
import { MAX_MESSAGE, MAX_STACK, toBase64, toStorable } from '../dead-letter.ts'
import { findStatedId, idFromPlace } from '../identify.ts'
import type { Recognised } from './dialects.ts'

/** The function that dead letters are imported for. */
export interface Target {
  readonly topic: string
  /** Its name in Kafka, as foreign headers have it. */
  readonly kafkaTopic: string
  /** Null where there is none, or the broker does not tell. */
  readonly topicId: string | null
}

/** A dead letter on its way in. */
export interface Found {
  readonly recognised: Recognised
  /** With what was fetched from its source, when it was a pointer. */
  readonly record: Pick<FetchedRecord, 'key' | 'value' | 'timestampMs'>
  /** Where it lay in the topic of dead letters; `part` counts those of one envelope. */
  readonly place: { readonly topic: string; readonly partition: number; readonly offset: string; readonly part: number }
  /** It carried no value, and its source is gone: there is nothing that could be run. */
  readonly isLost: boolean
}

const STAGES = new Set<unknown>(['decode', 'validate', 'handle', 'persist'])
const MAX_NAME = 256
const MAX_FACT = 1_024

/**
 * Makes the row of a foreign dead letter. Its id is the same for every import: the event's own where the headers tell it,
 * else derived from where it failed first, else from its place in the topic of dead letters.
 */
export function toImported(found: Found, target: Target, nowMs: number): ImportedLetter {
  const { recognised, record, place, isLost } = found
  const { origin, error, headers } = recognised
  const isOurs = isHere(found, target)
  const message = error.message ?? 'The record does not say why it failed'
  const lost = `Not retrievable: ${origin.topic}/${origin.partition} does not hold offset ${origin.offset} any more`
  return {
    id: createEventId(nowMs),
    eventId: toEventId(found, target),
    partition: isOurs ? Number(origin.partition) : place.partition,
    offset: isOurs ? String(origin.offset) : place.offset,
    key: toBase64(record.key),
    value: toBase64(record.value),
    headers: headers.map(([name, value]) => [toStorable(name, MAX_FACT), toBase64(value)]),
    timestamp: toTime(origin.timestampMs ?? record.timestampMs),
    stage: STAGES.has(origin.more.stage) ? String(origin.more.stage) : 'handle',
    disposition: 'imported',
    errorName: toStorable(error.name ?? 'Unknown', MAX_NAME),
    errorMessage: toStorable(isLost ? `${lost}. ${message}` : message, MAX_MESSAGE),
    errorStack: error.stack === null ? null : toStorable(error.stack, MAX_STACK),
    attempts: origin.attempts ?? 0,
    isLost,
    origin: toOriginJson(found)
  }
}

/** Whether it failed first in the function's own topic, at a place that is known. */
function isHere({ recognised: { origin } }: Found, { kafkaTopic }: Target): boolean {
  return origin.topic === kafkaTopic && origin.partition !== null && origin.offset !== null
}

function toEventId(found: Found, { topic, kafkaTopic, topicId }: Target): string {
  const { recognised, record, place } = found
  const { origin, headers } = recognised
  const stated = origin.more.eventId
  if (stated !== undefined && isEventId(stated)) return stated
  const own = findStatedId({ headers }, topic)
  if (own !== null) return own

  const { partition, offset, timestampMs } = origin
  if (origin.topic === null || partition === null || offset === null) {
    const parts = [place.topic, String(place.partition), place.offset, String(place.part)]
    return deriveEventId(found.record.timestampMs, ['imported', ...parts])
  }
  // As the runner names the record of that place, so that one which is settled is found in the inbox.
  if (origin.topic === kafkaTopic && timestampMs !== null && !found.isLost)
    return idFromPlace({ ...record, headers, offset, timestampMs }, { topic, topicId, partition })
  return deriveEventId(timestampMs ?? 0, ['imported', origin.topic, String(partition), offset])
}

function toOriginJson({ recognised, place }: Found): Record<string, unknown> {
  const { dialect, origin } = recognised
  const { more, timestampMs, ...rest } = origin
  const timestamp = timestampMs === null ? null : toTime(timestampMs)
  const facts = Object.entries({ ...more, ...rest, timestamp }).filter(([, fact]) => fact !== null)
  const storable = facts.map(([name, fact]) => [name, typeof fact === 'string' ? toStorable(fact, MAX_FACT) : fact])
  const { topic, partition, offset } = place
  return { dialect, ...Object.fromEntries(storable), from: { topic, partition, offset } }
}
