import type { TransactionLimits, WriteTransaction } from '../db/writer.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { claimPositions, type Move, movePositions } from './positions-of-cycle.ts'
import type { ReadyStep, SettleAhead } from './settle-ahead.ts'
import { type SettledRecord, type Tally, type WriteDependencies, writeOutcomes } from './write-outcomes.ts'

/** The knee of a bulk insert: larger batches gain little and hold locks for longer (docs/benchmarks.md). */
export const CYCLE_LIMIT = { records: 1_000, bytes: 4 * 1024 * 1024 }

/** What one partition brings into a cycle. */
export interface Share extends Move {
  readonly ahead: SettleAhead
  readonly steps: readonly ReadyStep[]
}

/** Collects what can be written, fairly: each partition an equal share, and what one leaves the others may take. */
export function collectShares(
  handled: Iterable<{ owned: AssignedPartition; ahead: SettleAhead }>,
  limit = CYCLE_LIMIT.records
): Share[] {
  const partitions = [...handled]
  const shares: Share[] = []
  let records = limit
  let bytes = CYCLE_LIMIT.bytes

  // The emptiest first: what they do not use is left for the full ones.
  const ready = partitions
    .map(({ owned, ahead }) => ({ owned, ahead, steps: ahead.ready(CYCLE_LIMIT) }))
    .filter(({ steps, owned }) => steps.length > 0 && !owned.revoked.aborted)
    .sort((a, b) => a.steps.length - b.steps.length)

  for (const [index, { owned, ahead, steps }] of ready.entries()) {
    const parts = ready.length - index
    const taken = cut(steps, { records: Math.ceil(records / parts), bytes: Math.ceil(bytes / parts) })
    const last = taken.at(-1)
    if (!last) continue
    records -= taken.length
    bytes -= taken.reduce((sum, step) => sum + step.bytes, 0)
    shares.push({ owned, ahead, steps: taken, expected: owned.position.nextOffset, next: last.next })
  }
  return shares
}

function cut(steps: readonly ReadyStep[], limit: { records: number; bytes: number }): readonly ReadyStep[] {
  let bytes = 0
  let count = 0
  // One at least, however large: a record that fits nowhere else must still go.
  while (count < steps.length && (count === 0 || (count < limit.records && bytes < limit.bytes))) {
    bytes += steps[count]?.bytes ?? 0
    count += 1
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
    options: { isCareful: boolean }
  ): Promise<Map<number, Tally>> {
    await claimPositions(tx, shares, dependencies)
    const settled = shares.flatMap(share => share.steps.flatMap(step => step.settled ?? []))
    const tallies = await writeOutcomes(tx, settled satisfies SettledRecord[], options, dependencies)

    await movePositions(tx, shares, tallies, dependencies)
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
