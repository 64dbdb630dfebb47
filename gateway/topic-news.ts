import type { MovedPartition, TailFilters } from '../db/queries/message-tail.ts'
import type { PartitionStatus } from '../db/queries/topic-status.ts'

interface PlaceStanding {
  readonly topic: string
  readonly partition: number
  readonly next: bigint
  readonly messages: number
  readonly lastMessageAt: string | null
}

/** Where positions stand and what was counted there, by `topic/partition`. */
export type Standing = ReadonlyMap<string, PlaceStanding>

/** Messages of one partition that are new. */
export interface News extends MovedPartition {
  readonly count: number
}

/** Gives where positions stand. */
export function toStanding(statuses: readonly PartitionStatus[]): Standing {
  return new Map(
    statuses.map(({ topic, partition, nextOffset: next, messageCount: messages, lastMessageAt }) => [
      `${topic}/${partition}`,
      { topic, partition, next, messages, lastMessageAt }
    ])
  )
}

/** Gives the partitions that have new messages. Where counters went back, the database is another one: nothing is new. */
export function findNews(before: Standing, now: Standing): News[] {
  return [...now].flatMap(([name, { topic, partition, next, messages, lastMessageAt }]) => {
    const known = before.get(name)
    const count = messages - (known?.messages ?? 0)
    if (count <= 0) return []
    // A redrive settles messages and moves nothing: they lie before the position, and are only counted.
    const low = known && known.next < next ? known.next : known ? next : 0n
    const times = { after: known?.lastMessageAt ?? null, until: lastMessageAt }
    return [{ topic, partition, count, low: String(low), high: String(next), ...times }]
  })
}

/** Whether a stream is about a partition. */
export function matchesPlace(
  { topic, partition }: TailFilters,
  place: { readonly topic: string; readonly partition: number }
): boolean {
  return (topic === undefined || topic === place.topic) && (partition === undefined || partition === place.partition)
}
