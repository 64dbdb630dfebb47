import type { createPositionQueries } from '../db/queries/positions.ts'
import type { LogBounds } from './locate-positions.ts'

export interface StandstillDependencies {
  readonly groupId: string
  readonly topic: string
  readonly positions: Pick<ReturnType<typeof createPositionQueries>, 'progress'>
  /** Told since when a partition has made no progress (epoch in ms, by the clock of the database). */
  readonly stood: (partition: number, sinceMs: number) => void
}

/**
 * Builds the look at partitions that are about to be owned: one with unsettled records waited for the world, or for a
 * runner, since its last progress. Whoever had it may have ended meanwhile, and what he knew of an outage with him.
 */
export function createStandstill({ groupId, topic, positions, stood }: StandstillDependencies) {
  /** Call before positions are made or moved: that is no progress. */
  return async function look(partitions: readonly number[], { byPartition }: LogBounds): Promise<void> {
    for (const { partition, nextOffset, updatedMs } of await positions.progress(groupId, topic)) {
      const end = byPartition.get(partition)?.logEndOffset ?? 0n
      if (partitions.includes(partition) && nextOffset < end) stood(partition, updatedMs)
    }
  }
}
