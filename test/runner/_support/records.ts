import type { FetchedBatch, FetchedRecord } from '../../../kafka/types.ts'
import { deriveEventId } from '../../../sdk/event-id.ts'
import { parseDefinition } from '../../../sdk/parse-definition.ts'
import type { IdentifiedRecord } from '../../../sdk/record.ts'
import type { LoadedFunction } from '../../../sdk/types.ts'

export const TOPIC = 'orders'
/** Of the group and the topic of the tests. */
export const PLACE = { groupId: 'smg.orders', topic: TOPIC }
export const TIME_MS = 1_700_000_000_000

/** Makes a function as the loader gives it. */
export function defineTestFunction(exported: object, topic = TOPIC): LoadedFunction {
  return parseDefinition(exported, { file: `${topic}.ts`, topic, retentionHours: 1 })
}

/** Makes a record as it was fetched; an object becomes JSON. */
export function fetched(
  offset: number,
  value: object | string | Buffer | null = { n: offset },
  { key = null, headers = [], timestampMs = TIME_MS }: Partial<Omit<FetchedRecord, 'offset' | 'value'>> = {}
): FetchedRecord {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const bytes = value === null || Buffer.isBuffer(value) ? value : Buffer.from(text)
  return { offset: String(offset), timestampMs, key, value: bytes, headers }
}

/** Makes a batch that was fetched from `from` on and ends behind its last record, or at `end`. */
export function batch(
  from: number,
  records: readonly FetchedRecord[],
  { end, partition = 0 }: { end?: number; partition?: number } = {}
): FetchedBatch {
  const last = records.at(-1)
  const endOffset = BigInt(end ?? (last ? Number(last.offset) + 1 : from))
  return { partition, fetchedOffset: BigInt(from), endOffset, highWatermark: endOffset, records }
}

/** Makes the records of the offsets from `from` up to `end`, the latter excluded. */
export function range(from: number, end: number): FetchedRecord[] {
  return Array.from({ length: end - from }, (_, index) => fetched(from + index))
}

/** For functions that publish nothing. */
export function noPublish(): never {
  throw new Error('nothing is published here')
}

/** An event id that is the same for the same number. */
export function idOf(number: number): string {
  return deriveEventId(TIME_MS + number, [String(number)])
}

/** Makes a record with an id. */
export function identified(
  offset: number,
  value: object | string | Buffer | null = { n: offset },
  {
    id = idOf(offset),
    partition = 0,
    ...rest
  }: { id?: string; partition?: number } & Parameters<typeof fetched>[2] = {}
): IdentifiedRecord {
  return { ...fetched(offset, value, rest), id, topic: TOPIC, partition }
}
