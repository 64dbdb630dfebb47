import type { Logger } from 'pino'
import { databaseFault, isCancelled, isUnclassified, sqlState } from '../db/database-fault.ts'
import { type InboxEntry, writeInbox } from '../db/queries/inbox.ts'
import { insertOutbox, type OutboxEntry } from '../db/queries/outbox.ts'
import type { AttemptSession, WriteTransaction } from '../db/writer.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import {
  createRecordSettler,
  type Dead,
  type Outcome,
  type RunHandle,
  type SettleDependencies
} from '../sdk/settle-record.ts'
import type { LoadedFunction, TransactionContext } from '../sdk/types.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { runnerErrors } from './errors.ts'
import { identify } from './identify.ts'
import type { RunnerMetrics } from './metrics.ts'
import type { QueuedItem } from './partition-queue.ts'
import { claimPositions, movePositions } from './positions-of-cycle.ts'
import {
  type DeadRecord,
  sortKnown,
  type Tally,
  tallyOf,
  toEntry,
  toPublications,
  type WriteDependencies,
  writeDead
} from './write-outcomes.ts'

/** A transaction ends after so many records: a backend caches 64 subtransaction ids, and more slow every other reader down. */
export const MAX_RECORDS = 60
const MAX_MS = 1_000

/** What is remembered of a record that failed, from one transaction to the next, until it is settled. */
export interface Memory {
  readonly offset: string
  readonly attempt: number
  readonly notBeforeMs: number
  /** Its last attempt is over, and all that is left is to write it down. */
  readonly dead: Dead | null
}

/** What one transaction came to. */
export interface Prefix {
  /** Items settled, from the first on; 0 when the first has to wait. */
  readonly count: number
  readonly next: bigint
  readonly tally: Tally | undefined
  /** Of the record that stopped it. */
  readonly memory: Memory | null
}

/** By offset. More than one, because a transaction that was given up takes records with it that were settled in it. */
export type Memories = ReadonlyMap<string, Memory>

export interface PrefixDependencies {
  readonly definition: LoadedFunction
  readonly settle: Omit<SettleDependencies, 'isForeign'>
  readonly write: WriteDependencies
  readonly metrics: Pick<RunnerMetrics, 'attemptsFailed' | 'unclassified'>
  readonly log: Logger
}

type Retry = Extract<Outcome, { kind: 'retry' }>

/** What happened in one attempt, beside what it gave or threw. */
interface Attempt {
  session: AttemptSession | null
  /** The inbox knows the event already: `handle` was not called. */
  isKnown: boolean
  isPending: boolean
}

/**
 * Builds the transaction of one partition of a function that does any SQL: its records one after the other, each
 * behind a savepoint, as far as none has to wait.
 */
export function createPrefixRunner(
  partition: AssignedPartition,
  { definition, settle, write, metrics, log }: PrefixDependencies
) {
  const { groupId, topic } = write
  let attempt: Attempt = { session: null, isKnown: false, isPending: false }

  // What the session saw outranks what was thrown: a function that wraps a lost connection has not failed.
  const isForeign = (thrown: unknown) => [attempt.session?.seen(), thrown].some(error => isInfrastructure(error))
  const settleRecord = createRecordSettler(definition, { ...settle, isForeign })

  /**
   * @throws SMG_RUNNER_ABANDONED with `memory` when an attempt ran out of time and still runs: its connection is gone,
   * and with it all of this transaction
   */
  return async function runPrefix(
    tx: WriteTransaction,
    hand: readonly QueuedItem[],
    memories: Memories
  ): Promise<Prefix> {
    const expected = partition.position.nextOffset
    const tallies = new Map<number, Tally>()
    const tally = tallyOf(tallies, partition.partition)
    const dead: DeadRecord[] = []
    const publications: OutboxEntry[] = []
    const known: { entry: InboxEntry; record: IdentifiedRecord }[] = []
    const endMs = Date.now() + MAX_MS
    let memory: Memory | null = null
    let count = 0
    let next = expected

    await claimPositions(tx, [{ owned: partition, expected, next: expected }], { groupId, topic })

    for (const item of hand) {
      if (count > 0 && (Date.now() > endMs || partition.revoked.aborted)) break
      if (item.record) {
        const place = { topic, topicId: partition.position.topicId, partition: partition.partition }
        const record = identify(item.record, place)
        const remembered = memories.get(record.offset)
        // It begins a transaction of its own: if it fails again, what was done before it stands.
        if (remembered && (count > 0 || remembered.notBeforeMs > Date.now())) break

        const outcome = remembered?.dead ?? (await attemptOnce(tx, record, remembered?.attempt ?? 1))
        if (outcome.kind === 'retry') {
          memory = toMemory(record, outcome)
          break
        }
        if (outcome.kind === 'dead') dead.push({ record, reason: outcome })
        else if (attempt.isKnown) known.push({ entry: toEntry(record, [], null), record })
        else {
          tally.messages += 1
          tally.lastMessageMs = Math.max(tally.lastMessageMs ?? 0, record.timestampMs)
          publications.push(...toPublications({ record, outcome }, write))
        }
      }
      count += 1
      next = item.next
    }
    dead.push(...(await sortKnown(tx, known, tallies, write)))
    await writeDead(tx, dead, tallies, write)
    await insertOutbox(tx, publications)
    if (count > 0) await movePositions(tx, [{ owned: partition, expected, next }], tallies, { groupId, topic })
    return { count, next, tally, memory }
  }

  async function attemptOnce(tx: WriteTransaction, record: IdentifiedRecord, number: number): Promise<Outcome> {
    const current: Attempt = { session: null, isKnown: false, isPending: false }
    attempt = current
    const outcome = await settleAttempt(tx, record, { number, current })
    if (!current.isPending) return outcome
    // Out of time, and still running: nothing can be undone on a connection that is busy with it.
    current.session?.revoke()
    await tx.destroy()
    const memory =
      outcome.kind === 'dead' ? { ...toMemory(record, null, outcome), attempt: number } : toMemory(record, outcome)
    throw Object.assign(new runnerErrors.SMG_RUNNER_ABANDONED(), { memory })
  }

  async function settleAttempt(
    tx: WriteTransaction,
    record: IdentifiedRecord,
    { number, current }: { number: number; current: Attempt }
  ): Promise<Outcome> {
    try {
      const outcome = heedCancel(await settleRecord(record, number, createRunHandle(tx, record, current)), current)
      if (outcome.kind !== 'handled' && isUnclassified(outcome.error)) metrics.unclassified.inc({ topic })
      if (outcome.kind === 'retry') noteFailure(record, number, outcome)
      return outcome
    } catch (error) {
      const seen = current.session?.seen()
      if (isInfrastructure(seen)) throw seen
      if (settle.shutdown.aborted || isInfrastructure(error)) throw error
      // What was thrown defies even a look at it.
      return { kind: 'dead', stage: 'handle', disposition: 'attempts_exhausted', attempts: number, error }
    }
  }

  /** A cancelled statement is no reason to give a record up before its last attempt, whatever the function made of it. */
  function heedCancel(outcome: Outcome, { session }: Attempt): Outcome {
    const error = session?.seen()
    const { maxAttempts, backoffMs } = definition.options
    if (outcome.kind !== 'dead' || outcome.attempts >= maxAttempts || !isCancelled(error)) return outcome
    return { kind: 'retry', nextAttempt: outcome.attempts + 1, waitMs: backoffMs.max, error }
  }

  function noteFailure({ offset }: IdentifiedRecord, number: number, { error, waitMs }: Retry) {
    metrics.attemptsFailed.inc({ topic })
    log.warn({ err: error, partition: partition.partition, offset, attempt: number, waitMs }, 'attempt failed')
  }

  function createRunHandle(tx: WriteTransaction, record: IdentifiedRecord, current: Attempt): RunHandle {
    return async (input, context) => {
      current.isPending = true
      try {
        return await tx.savepoint(async () => {
          const { newIds } = await writeInbox(tx, { groupId, topic }, [toEntry(record, [], null)], null)
          current.isKnown = newIds !== null
          if (current.isKnown) return undefined

          const session = tx.openDrizzle()
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

function toMemory(record: IdentifiedRecord, outcome: Outcome | null, dead: Dead | null = null): Memory {
  const isRetry = outcome?.kind === 'retry'
  const notBeforeMs = isRetry ? Date.now() + outcome.waitMs : 0
  return { offset: record.offset, attempt: isRetry ? outcome.nextAttempt : 1, notBeforeMs, dead }
}

/** A fault of the world or of ours; what a record can be blamed for is a failed attempt. */
function isInfrastructure(error: unknown): boolean {
  try {
    // Cancelled: the record's attempt failed, and it goes on in a transaction of its own, to its last attempt.
    if (isCancelled(error)) return false
    const fault = databaseFault(error)
    // 25P02: a statement had failed before, and the function went on; that statement says whose fault it is.
    return fault !== null && fault !== 'record' && sqlState(error) !== '25P02'
  } catch {
    return false
  }
}
