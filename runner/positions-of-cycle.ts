import { advancePositions, lockPositions, type Step } from '../db/queries/positions.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import { toTime } from '../sdk/record.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { runnerErrors } from './errors.ts'
import type { Tally } from './settled.ts'

/** A move of one partition's position. */
export interface Move {
  readonly owned: AssignedPartition
  /** Where it is expected: what was last committed or read here, never a record's offset. */
  readonly expected: bigint
  readonly next: bigint
}

interface Group {
  readonly groupId: string
  readonly topic: string
}

/**
 * Locks positions and compares them with what is expected. First of all in a transaction: the row locks keep every
 * other owner out until its end.
 *
 * @throws SMG_RUNNER_POSITION_MOVED with `partitions` when someone else moved them, or the topic is another one
 */
export async function claimPositions(
  tx: WriteTransaction,
  moves: readonly Move[],
  { groupId, topic }: Group
): Promise<void> {
  const locked = await lockPositions(
    tx,
    groupId,
    topic,
    moves.map(({ owned }) => owned.partition)
  )
  const lost = moves.filter(({ owned, expected }) => {
    const found = locked.find(position => position.partition === owned.partition)
    return found?.nextOffset !== expected || found.topicId !== owned.position.topicId
  })
  if (lost.length > 0) throw positionMoved(groupId, lost)
}

/** Moves claimed positions, with the counts of what they settled. */
export async function movePositions(
  tx: WriteTransaction,
  moves: readonly Move[],
  tallies: ReadonlyMap<number, Tally>,
  { groupId, topic }: Group
): Promise<void> {
  const steps = moves.map(move => toStep(move, tallies.get(move.owned.partition)))
  const moved = await advancePositions(tx, groupId, topic, steps)
  // Claimed, so none can be missing; if one is, nothing of this may stand.
  if (moved !== moves.length) throw positionMoved(groupId, moves)
}

function positionMoved(groupId: string, moves: readonly Move[]) {
  const partitions = moves.map(({ owned }) => owned.partition)
  return Object.assign(new runnerErrors.SMG_RUNNER_POSITION_MOVED(groupId, partitions.join(', ')), { partitions })
}

/** The partitions of a SMG_RUNNER_POSITION_MOVED; null for any other error. */
export function movedPartitions(error: unknown): readonly number[] | null {
  const { code, partitions } = error as { code?: unknown; partitions?: readonly number[] }
  return code === 'SMG_RUNNER_POSITION_MOVED' && partitions ? partitions : null
}

function toStep({ owned, expected, next }: Move, tally: Tally | undefined): Step {
  return {
    partition: owned.partition,
    expected: String(expected),
    next: String(next),
    messages: tally?.messages ?? 0,
    rows: tally?.rows ?? 0,
    deadLetters: tally?.deadLetters ?? 0,
    duplicates: tally?.duplicates ?? 0,
    lastMessageAt: tally?.lastMessageMs == null ? null : toTime(tally.lastMessageMs)
  }
}
