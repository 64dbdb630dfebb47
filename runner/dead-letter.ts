import { sqlState } from '../db/database-fault.ts'
import type { NewDeadLetter } from '../db/queries/dead-letter-writes.ts'
import { createEventId } from '../sdk/event-id.ts'
import { type IdentifiedRecord, toTime } from '../sdk/record.ts'
import { type Dead, describe } from '../sdk/settle-record.ts'
import { runnerErrors } from './errors.ts'

/** Characters of a row's error at most. */
export const MAX_MESSAGE = 8_192
export const MAX_STACK = 32_768

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

/** The end of a record at which processes ended so often that it is not tried again. */
export function toCrashed(ends: number): Dead {
  const error = new runnerErrors.SMG_RUNNER_CRASHED(ends)
  return { kind: 'dead', stage: 'handle', disposition: 'crashed', attempts: ends, error }
}

/** Bytes as base64; null stays null. */
export function toBase64(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString('base64')
}

/** The name of what was thrown: a SQLSTATE as `sql:22P02`, a code of ours, else the error's own. */
// It may be anything: members that are no text, or that throw when they are looked at.
export function nameOf(error: unknown): string {
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

/** Cuts a text, and replaces what PostgreSQL's text cannot hold: it would take the dead letter down with the record. */
export function toStorable(text: string, length: number): string {
  return text.slice(0, length).toWellFormed().replaceAll('\u0000', '\ufffd')
}
