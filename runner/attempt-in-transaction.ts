import type { Logger } from 'pino'
import type { AttemptSession } from '../db/attempt-session.ts'
import { databaseFault, isCancelled, isUnclassified, sqlState } from '../db/database-fault.ts'
import { dbErrors } from '../db/errors.ts'
import { writeInbox } from '../db/queries/inbox.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import {
  createRecordSettler,
  type Dead,
  type Outcome,
  type Redrive,
  type RunHandle,
  type SettleDependencies
} from '../sdk/settle-record.ts'
import type { LoadedFunction, TransactionContext } from '../sdk/types.ts'
import { runnerErrors } from './errors.ts'
import { logFailedAttempt } from './log-records.ts'
import type { RunnerMetrics } from './metrics.ts'
import { toEntry } from './to-entry.ts'

/** What is remembered of a record that failed, from one transaction to the next, until it is settled. */
export interface Memory {
  readonly offset: string
  readonly attempt: number
  /** Of `performance.now()`. */
  readonly notBeforeMs: number
  /** Its last attempt is over, and all that is left is to write it down. */
  readonly dead: Dead | null
}

export interface AttemptDependencies {
  readonly definition: LoadedFunction
  readonly settle: Omit<SettleDependencies, 'isForeign'>
  readonly write: { readonly groupId: string; readonly topic: string }
  readonly metrics: Pick<RunnerMetrics, 'attemptsFailed' | 'lateCalls' | 'unclassified'>
  readonly log: Logger
}

/** What an attempt in a transaction came to. */
export interface AttemptResult {
  readonly outcome: Outcome
  /** The inbox knows the event already: `handle` was not called. */
  readonly isKnown: boolean
}

/** What happened in one attempt, beside what it gave or threw. */
interface Attempt {
  session: AttemptSession | null
  isKnown: boolean
  isPending: boolean
  /** It was still pending when it was settled. */
  isLate: boolean
}

/** Builds the attempt of a function that does any SQL: in a transaction, behind a savepoint, after the inbox. */
export function createTransactionAttempt({ definition, settle, write, metrics, log }: AttemptDependencies) {
  const { groupId, topic } = write
  let attempt: Attempt = { session: null, isKnown: false, isPending: false, isLate: false }

  // What the session saw outranks what was thrown: a function that wraps a lost connection has not failed.
  const isForeign = (thrown: unknown) => [attempt.session?.seen(), thrown].some(error => isInfrastructure(error))
  const settleRecord = createRecordSettler(definition, { ...settle, isForeign })

  /**
   * Makes one attempt; one at a time.
   *
   * @param number of this run, 1 on the first
   * @param redrive null for a record that comes from its topic
   * @throws SMG_RUNNER_ABANDONED with `memory` when the attempt ran out of time and still runs: the connection is gone,
   * and with it all of this transaction; SMG_DB_CONNECTION_LOST when it ran out of time for want of an answer
   */
  return async function attemptOnce(
    tx: WriteTransaction,
    record: IdentifiedRecord,
    number: number,
    redrive: Redrive | null = null
  ): Promise<AttemptResult> {
    const current: Attempt = { session: null, isKnown: false, isPending: false, isLate: false }
    attempt = current
    const outcome = await settleAttempt(tx, record, { number, redrive, current })
    if (!current.isLate) return { outcome, isKnown: current.isKnown }
    await abandon(tx, current)
    note(record, number, outcome)
    const memory =
      outcome.kind === 'dead' ? { ...toMemory(record, null, outcome), attempt: number } : toMemory(record, outcome)
    throw Object.assign(new runnerErrors.SMG_RUNNER_ABANDONED(), { memory })
  }

  async function settleAttempt(
    tx: WriteTransaction,
    record: IdentifiedRecord,
    { number, redrive, current }: { number: number; redrive: Redrive | null; current: Attempt }
  ): Promise<Outcome> {
    try {
      const settled = await settleRecord(record, number, createRunHandle(tx, record, { redrive, current }), redrive)
      const outcome = heedCancel(settled, number, current)
      current.isLate = current.isPending
      if (!current.isLate) note(record, number, outcome)
      return outcome
    } catch (error) {
      const seen = current.session?.seen()
      if (isInfrastructure(seen)) throw seen
      if (settle.shutdown.aborted || isInfrastructure(error)) throw error
      // What was thrown defies even a look at it.
      const attempts = (redrive?.attemptsBefore ?? 0) + number
      return { kind: 'dead', stage: 'handle', disposition: 'attempts_exhausted', attempts, error }
    }
  }

  /** A cancelled statement is no reason to give a record up before its last attempt, whatever the function made of it. */
  function heedCancel(outcome: Outcome, number: number, { session }: Attempt): Outcome {
    const error = session?.seen()
    const { maxAttempts, backoffMs } = definition.options
    if (outcome.kind !== 'dead' || number >= maxAttempts || !isCancelled(error)) return outcome
    return { kind: 'retry', nextAttempt: number + 1, waitMs: backoffMs.max, error }
  }

  /**
   * Ends an attempt that is out of time and still runs. It has used itself up when the time was its own; one that waits
   * for a lock, or on a link that leads nowhere, has not.
   */
  async function abandon(tx: WriteTransaction, { session }: Attempt): Promise<void> {
    session?.revoke()
    const isItsOwn = await tx.isAtWork()
    // Nothing can be undone on a connection that is busy with it.
    await tx.destroy()
    if (!isItsOwn) throw new dbErrors.SMG_DB_CONNECTION_LOST('on purpose: PostgreSQL owed an attempt its answer')
  }

  function note(record: IdentifiedRecord, number: number, outcome: Outcome) {
    if (outcome.kind !== 'handled' && isUnclassified(outcome.error)) metrics.unclassified.inc({ topic })
    if (outcome.kind !== 'retry') return
    const { error, waitMs } = outcome
    metrics.attemptsFailed.inc({ topic })
    logFailedAttempt(log, record, { attempt: number, waitMs, error })
  }

  function createRunHandle(
    tx: WriteTransaction,
    record: IdentifiedRecord,
    { redrive, current }: { redrive: Redrive | null; current: Attempt }
  ): RunHandle {
    const target = { groupId, topic, isRedrive: redrive !== null }
    return async (input, context) => {
      current.isPending = true
      try {
        return await tx.savepoint(async () => {
          const { newIds } = await writeInbox(tx, target, [toEntry(record, [], null)], null)
          current.isKnown = newIds !== null
          if (current.isKnown) return undefined

          const session = tx.openDrizzle(() => metrics.lateCalls.inc({ topic }))
          current.session = session
          try {
            return await definition.handle?.(input, Object.assign(context, { tx: session.tx }) as TransactionContext)
          } finally {
            session.revoke()
          }
        })
      } finally {
        current.isPending = false
      }
    }
  }
}

/** What to remember of a record that is not settled, or whose last attempt is over. */
export function toMemory(record: IdentifiedRecord, outcome: Outcome | null, dead: Dead | null = null): Memory {
  const isRetry = outcome?.kind === 'retry'
  const notBeforeMs = isRetry ? performance.now() + outcome.waitMs : 0
  return { offset: record.offset, attempt: isRetry ? outcome.nextAttempt : 1, notBeforeMs, dead }
}

/** A fault of the world or of ours; what a record can be blamed for is a failed attempt. */
function isInfrastructure(error: unknown): boolean {
  try {
    const fault = databaseFault(error)
    // Cancelled: the record's attempt failed, and it goes on in a transaction of its own, to its last attempt.
    if (isCancelled(error)) return false
    // 25P02: a statement had failed before, and the function went on; that statement says whose fault it is.
    return fault !== null && fault !== 'record' && sqlState(error) !== '25P02'
  } catch {
    return false
  }
}
