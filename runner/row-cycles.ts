import type { TransactionLimits, WriteTransaction } from '../db/write-transaction.ts'
import { failpoint } from '../sdk/failpoints.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { isHead } from './parking.ts'
import { claimPositions, type Move, movePositions } from './positions-of-cycle.ts'
import type { SettleAhead } from './settle-ahead.ts'
import type { SettledRecord, Tally, WriteDependencies } from './settled.ts'
import type { ReadyStep } from './slots.ts'
import type { Care } from './write-entries.ts'
import { writeOutcomes } from './write-outcomes.ts'

/** The knee of a bulk insert: larger batches gain little and hold locks for longer (docs/benchmarks.md). */
export const CYCLE_LIMIT = { records: 1_000, bytes: 4 * 1024 * 1024 }

/** What one partition brings into a cycle. */
export interface Share extends Move {
  /** Of the partition when the steps were collected: another one makes them void. */
  readonly epoch: number
  readonly ahead: SettleAhead
  readonly steps: readonly ReadyStep[]
}

export interface CollectOptions {
  /** Default: `CYCLE_LIMIT`. */
  readonly records?: number
  /** With `key`, a share ends at a dead letter. */
  readonly ordering?: 'partition' | 'key'
}

/** Collects what can be written, fairly: each partition an equal share, and what one leaves the others may take. */
export function collectShares(
  handled: Iterable<{ owned: AssignedPartition; ahead: SettleAhead }>,
  { records: maxRecords = CYCLE_LIMIT.records, ordering = 'partition' }: CollectOptions = {}
): Share[] {
  const partitions = [...handled]
  const shares: Share[] = []
  let records = maxRecords
  let bytes = CYCLE_LIMIT.bytes

  // The emptiest first: what they do not use is left for the full ones.
  const ready = partitions
    .map(({ owned, ahead }) => ({ owned, ahead, steps: ahead.ready(CYCLE_LIMIT) }))
    .filter(({ steps, owned }) => steps.length > 0 && !owned.revoked.aborted)
    .sort((a, b) => a.steps.length - b.steps.length)

  for (const [index, { owned, ahead, steps }] of ready.entries()) {
    const parts = ready.length - index
    const taken = cut(steps, { records: Math.ceil(records / parts), bytes: Math.ceil(bytes / parts), ordering })
    const last = taken.at(-1)
    if (!last) continue
    records -= taken.length
    bytes -= taken.reduce((sum, step) => sum + step.bytes, 0)
    shares.push({
      owned,
      ahead,
      steps: taken,
      expected: owned.position.nextOffset,
      epoch: owned.epoch,
      next: last.next
    })
  }
  return shares
}

/** The first step of a share alone. */
export function toSingle(share: Share): Share {
  const [first] = share.steps
  return first ? { ...share, steps: [first], next: first.next } : share
}

function cut(steps: readonly ReadyStep[], limit: Required<CollectOptions> & { bytes: number }): readonly ReadyStep[] {
  let bytes = 0
  let count = 0
  // One at least, however large: a record that fits nowhere else must still go.
  while (count < steps.length && (count === 0 || (count < limit.records && bytes < limit.bytes))) {
    const step = steps[count]
    bytes += step?.bytes ?? 0
    count += 1
    // Whether what follows has to wait is known when this dead letter is written: in the next cycle.
    if (limit.ordering === 'key' && step?.settled && isHead(step.settled.record, step.settled.outcome)) break
  }
  return steps.slice(0, count)
}

/** Builds the commit of one cycle of a group: all its partitions in one transaction, or nothing of it. */
export function createCycleWriter(dependencies: WriteDependencies) {
  /**
   * @returns counts by partition
   * @throws SMG_RUNNER_POSITION_MOVED with `partitions` when someone else owns them: nothing was written
   */
  return async function writeCycle(
    tx: WriteTransaction,
    shares: readonly Share[],
    options: { care: Care; byCopy?: boolean }
  ): Promise<Map<number, Tally>> {
    await claimPositions(tx, shares, dependencies)
    const settled = shares.flatMap(share => share.steps.flatMap(step => step.settled ?? []))
    const tallies = await writeOutcomes(tx, settled satisfies SettledRecord[], options, dependencies)
    await failpoint('after-effects')

    await movePositions(tx, shares, tallies, dependencies)
    await failpoint('before-commit')
    return tallies
  }
}

/**
 * How long a cycle's transaction may take. An owner that froze in it lets its locks go after the idle time: well below
 * the session timeout after which another member owns its partitions.
 */
export function toLimits(sessionTimeoutMs: number): TransactionLimits {
  const idleTimeoutMs = Math.min(10_000, Math.max(1_000, Math.floor(sessionTimeoutMs / 2)))
  return { lockTimeoutMs: idleTimeoutMs, statementTimeoutMs: 30_000, idleTimeoutMs }
}

/** No lock is given up earlier, however little time an attempt has: other writers hold theirs for a moment. */
const SHORTEST_LOCK_MS = 500

/**
 * The limits of a transaction in which attempts run: its statements and its pauses may last as long as an attempt may.
 * Locks may not: PostgreSQL has to say that there is one before the attempt is out of time, for that is not its fault.
 */
export function toAttemptLimits(limits: TransactionLimits, timeoutMs: number): TransactionLimits {
  // Else PostgreSQL would end what the attempt's own deadline has to judge, and the record would be tried for ever.
  const atLeastMs = timeoutMs + 2_000
  return {
    lockTimeoutMs: Math.min(limits.lockTimeoutMs, Math.max(SHORTEST_LOCK_MS, Math.floor(timeoutMs / 2))),
    statementTimeoutMs: Math.max(limits.statementTimeoutMs, atLeastMs),
    idleTimeoutMs: Math.max(limits.idleTimeoutMs, atLeastMs)
  }
}
