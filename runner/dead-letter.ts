import { sqlState } from '../db/database-fault.ts'
import type { NewDeadLetter } from '../db/queries/dead-letter-writes.ts'
import { createEventId } from '../sdk/event-id.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import { type Dead, describe } from '../sdk/settle-record.ts'

const MAX_MESSAGE = 8_192
const MAX_STACK = 32_768
// Years of four digits: PostgreSQL does not read the ISO form of the others.
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** Makes the row of a dead letter: the record byte for byte, with the reason. */
export function toDeadLetter(
  record: IdentifiedRecord,
  { stage, disposition, attempts, error }: Dead,
  nowMs: number
): NewDeadLetter {
  return {
    id: createEventId(nowMs),
    eventId: record.id,
    partition: record.partition,
    offset: record.offset,
    key: toBase64(record.key),
    value: toBase64(record.value),
    headers: record.headers.map(([name, value]) => [toStorable(name, 1_024), toBase64(value)]),
    timestamp: toTime(record.timestampMs),
    stage,
    disposition,
    errorName: nameOf(error),
    errorMessage: toStorable(describe(error), MAX_MESSAGE),
    errorStack: stackOf(error),
    attempts
  }
}

/** A record's time as PostgreSQL takes it, in ISO 8601. */
export function toTime(timestampMs: number): string {
  return new Date(toLegalMs(timestampMs)).toISOString()
}

/** A record's time within the years 1 to 9999; what a producer stamped in another unit is the epoch. */
export function toLegalMs(timestampMs: number): number {
  return timestampMs >= EARLIEST_MS && timestampMs <= LATEST_MS ? timestampMs : 0
}

/** Bytes as base64; null stays null. */
export function toBase64(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('base64')
}

// What was thrown may be anything: members that are no text, or that throw when they are looked at.
function nameOf(error: unknown): string {
  try {
    const state = sqlState(error)
    if (state !== null) return `sql:${state}`
    const { code, name } = error as { code?: unknown; name?: unknown }
    if (typeof code === 'string' && code.startsWith('SMG_')) return code
    return toStorable(typeof name === 'string' && name ? name : 'Error', 256)
  } catch {
    return 'Error'
  }
}

function stackOf(error: unknown): string | null {
  try {
    const stack = error instanceof Error ? error.stack : null
    return typeof stack === 'string' && stack ? toStorable(stack, MAX_STACK) : null
  } catch {
    return null
  }
}

// What PostgreSQL's text cannot hold would take the dead letter down with the record.
function toStorable(text: string, length: number): string {
  return text.slice(0, length).toWellFormed().replaceAll('\u0000', '\ufffd')
}
