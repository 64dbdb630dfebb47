import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { createPositionQueries, Position } from '../db/queries/positions.ts'
import type { LogRange } from '../kafka/offsets.ts'
import type { ClusterView } from '../kafka/types.ts'
import { runnerErrors } from './errors.ts'

const CONFIRM_MS = 3_000

export interface LocateDependencies {
  readonly groupId: string
  readonly topic: string
  readonly positions: ReturnType<typeof createPositionQueries>
  readonly cluster: Pick<ClusterView, 'offsets' | 'topicIds'>
  readonly log: Logger
}

/** Where a log begins and ends, and which one it is. */
export interface LogBounds {
  readonly topicId: string | null
  readonly byPartition: ReadonlyMap<number, LogRange>
}

/**
 * Builds the finding of positions: PostgreSQL's, made where there is none, and set right where the log that they count
 * in is another one, was cut, or has lost what they point at.
 */
export function createPositionLocator({ groupId, topic, positions, cluster, log }: LocateDependencies) {
  /** @throws SMG_RUNNER_NO_TOPIC, or what Kafka's port throws */
  async function readBounds(): Promise<LogBounds> {
    const ids = await cluster.topicIds([topic])
    const topicId = ids.get(topic)
    if (topicId === undefined) throw new runnerErrors.SMG_RUNNER_NO_TOPIC(topic)
    return { topicId, byPartition: await cluster.offsets(topic) }
  }

  /** Positions of some partitions, by partition; made at the start of the log where there is none, whatever Kafka's commit says. */
  async function readOrCreate(
    partitions: readonly number[],
    bounds: () => Promise<LogBounds>
  ): Promise<Map<number, Position>> {
    const found = await positions.read(groupId, topic)
    const wanted = new Map<number, Position>()

    for (const partition of partitions) {
      const position = found.get(partition) ?? (await create(partition, await bounds()))
      wanted.set(partition, position)
    }
    return wanted
  }

  async function create(partition: number, { topicId, byPartition }: LogBounds): Promise<Position> {
    const nextOffset = byPartition.get(partition)?.logStartOffset ?? 0n
    return positions.create(groupId, topic, { partition, nextOffset, topicId })
  }

  /**
   * Gives a position as it must be in a log; a moved one is in PostgreSQL already, unless another owner was faster.
   *
   * @param fetchedTo end, exclusive, of the records from the position on that are in hand: retention cannot take these.
   * Default: the position, nothing is in hand
   */
  async function settle(position: Position, bounds: LogBounds, fetchedTo = position.nextOffset): Promise<Position> {
    let target = toTarget(position, bounds, fetchedTo)
    if (target?.why === 'truncated') {
      // A new leader tells an end that is behind for a moment: only what is still so then was cut.
      await sleep(CONFIRM_MS)
      target = toTarget(position, await readBounds(), fetchedTo)
    }
    if (!target) return position
    const { to, lost, why } = target
    const isMoved = await positions.relocate(groupId, topic, position, to, lost)
    const where = { partition: position.partition, from: String(position.nextOffset), to: String(to.nextOffset) }

    if (isMoved && why === 'retention')
      log.error({ ...where, lost: String(lost) }, 'records were removed by retention before they were handled')
    else if (isMoved && why !== 'named')
      log.warn({ ...where, why }, 'the log is another one than before: it is handled from its start')
    if (isMoved) return to

    const found = await positions.read(groupId, topic)
    return found.get(position.partition) ?? to
  }

  return { readBounds, readOrCreate, settle }
}

interface Target {
  readonly to: Position
  readonly lost: bigint
  readonly why: 'named' | 'recreated' | 'truncated' | 'retention'
}

function toTarget(position: Position, { topicId, byPartition }: LogBounds, fetchedTo: bigint): Target | null {
  const log = byPartition.get(position.partition)
  if (!log) return null
  const atStart = { partition: position.partition, nextOffset: log.logStartOffset, topicId }

  if (topicId !== null && position.topicId !== null && topicId !== position.topicId)
    return { to: atStart, lost: 0n, why: 'recreated' }
  // The inbox makes it harmless to handle a record again; to skip one would not be.
  if (position.nextOffset > log.logEndOffset) return { to: atStart, lost: 0n, why: 'truncated' }
  if (position.nextOffset < log.logStartOffset) {
    // What is in hand goes first; what is still missing then is found at the next look.
    if (fetchedTo > position.nextOffset) return null
    return { to: atStart, lost: log.logStartOffset - position.nextOffset, why: 'retention' }
  }
  return topicId !== position.topicId && topicId !== null
    ? { to: { ...position, topicId }, lost: 0n, why: 'named' }
    : null
}
