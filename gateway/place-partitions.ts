import type { PartitionStatus } from '../db/queries/topic-status.ts'
import type { PartitionView, TopicView } from '../kafka/types.ts'
import { toPlaceKey } from './samples.ts'

/** A partition with the place where its group stands. */
export interface PlacedPartition extends PartitionView {
  /** Kafka's commit; null without one. */
  readonly currentOffset: bigint | null
  /** The position; null without one in this log. */
  readonly nextOffset: bigint | null
  /** Where the oldest record is that may still be handled: the position, or the start of the log where that is above. */
  readonly oldestOffset: bigint
  /** From the position, or else from the log's start, to its end. */
  readonly lag: number
}

/** A position may seem to be beyond the end of its log for so long: a new leader tells an end that is behind for a moment. */
const CONFIRM_MS = 3_000

/** Builds the placing of positions in logs: one that counts in another log than the one there is now is none. */
export function createPlacing(steadyMs: () => number) {
  /** Since when positions are beyond the ends of their logs, by topic and partition. */
  const beyond = new Map<string, number>()

  return function placePartitions(
    topic: string,
    { topicId, partitions }: TopicView,
    statuses: readonly PartitionStatus[],
    commits: ReadonlyMap<number, bigint>
  ): PlacedPartition[] {
    const placed = partitions.map((view): PlacedPartition => {
      const nextOffset = findPosition(topic, topicId, view, statuses)
      const { partition, logStartOffset, logEndOffset } = view
      const behind = logEndOffset - (nextOffset ?? logStartOffset)
      return {
        ...view,
        currentOffset: commits.get(partition) ?? null,
        nextOffset,
        oldestOffset: nextOffset !== null && nextOffset > logStartOffset ? nextOffset : logStartOffset,
        // The whole of it, as Kafka's tools count: what retention removed is lag until the group has moved on.
        lag: behind > 0n ? Number(behind) : 0
      }
    })
    return placed.sort((one, other) => one.partition - other.partition)
  }

  function findPosition(
    topic: string,
    topicId: string | null,
    { partition, logEndOffset }: PartitionView,
    statuses: readonly PartitionStatus[]
  ): bigint | null {
    const status = statuses.find(one => one.partition === partition)
    if (!status) return null
    // The topic was made anew: its group begins at its start.
    if (topicId !== null && status.topicId !== null && topicId !== status.topicId) return null
    return isCut(toPlaceKey(topic, partition), status.nextOffset > logEndOffset) ? null : status.nextOffset
  }

  /** Whether a log really ends before the position: it was cut, or made anew where the broker tells no ids. */
  function isCut(place: string, isBeyond: boolean): boolean {
    const sinceMs = beyond.get(place) ?? steadyMs()
    if (isBeyond) beyond.set(place, sinceMs)
    else beyond.delete(place)
    return isBeyond && steadyMs() - sinceMs >= CONFIRM_MS
  }
}
