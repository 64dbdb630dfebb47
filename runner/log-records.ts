import type { Logger } from 'pino'
import type { IdentifiedRecord } from '../sdk/record.ts'
import { traceIdOf } from '../sdk/trace.ts'
import { nameOf } from './dead-letter.ts'
import type { DeadRecord, Tally } from './settled.ts'

/** An attempt that is made again. */
interface FailedAttempt {
  readonly attempt: number
  readonly waitMs: number
  readonly error: unknown
}

/** How far a transaction moved the position of a partition. */
interface Moved {
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

/** Writes the line of an attempt that failed. */
export function logFailedAttempt(log: Logger, record: IdentifiedRecord, { attempt, waitMs, error }: FailedAttempt) {
  const { partition, offset } = record
  log.warn({ err: error, partition, offset, attempt, waitMs, traceId: traceIdOf(record) }, 'attempt failed')
}

/** Writes what a transaction came to: a line, and one for each dead letter. Call it when it is committed. */
export function logCommit(
  log: Logger,
  moved: readonly Moved[],
  { tallies, ms }: { tallies: readonly Tally[]; ms: number }
) {
  logDead(
    log,
    tallies.flatMap(({ dead = [] }) => dead)
  )
  if (!log.isLevelEnabled('debug')) return
  const sum = (name: 'messages' | 'rows' | 'deadLetters' | 'duplicates') =>
    tallies.reduce((total, tally) => total + tally[name], 0)
  const counts = {
    messages: sum('messages'),
    rows: sum('rows'),
    deadLetters: sum('deadLetters'),
    duplicates: sum('duplicates')
  }
  const partitions = moved.map(({ partition, from, to }) => ({ partition, from: String(from), to: String(to) }))
  log.debug({ partitions, ...counts, ms: Math.round(ms) }, 'committed')
}

/** Writes a line a dead letter. Call it when they are committed. */
export function logDead(log: Logger, dead: readonly DeadRecord[]) {
  for (const { record, reason } of dead) {
    const { stage, disposition, attempts, error } = reason
    log.warn({ ...placeOf(record), stage, disposition, attempts, error: nameOf(error) }, 'dead letter')
  }
}

/** Writes a line a dead letter whose redrive had its effect. Call it when it is committed. */
export function logResolved(log: Logger, records: readonly IdentifiedRecord[]) {
  for (const record of records) log.info(placeOf(record), 'dead letter resolved')
}

function placeOf(record: IdentifiedRecord) {
  const { id: eventId, partition, offset } = record
  return { eventId, partition, offset, traceId: traceIdOf(record) }
}
