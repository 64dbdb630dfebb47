import type { GatewayQueries } from '../db/queries/gateway.ts'
import type { PartitionStatus } from '../db/queries/topic-status.ts'
import type { ClusterView, GroupView, PartitionView, TopicView } from '../kafka/types.ts'
import { coalesce } from './coalesce.ts'
import { gatewayErrors } from './errors.ts'
import { toKafkaProblem } from './produce.ts'
import { within } from './within.ts'

/** A partition as Kafka and PostgreSQL see it. */
export interface PartitionReading extends PartitionView {
  /** Kafka's commit; null without one. */
  readonly currentOffset: bigint | null
  /** The position; null without one. */
  readonly nextOffset: bigint | null
  /** Records from the position, or else from the log's start, to its end. */
  readonly lag: number
  /** Of the last settled record; null before the first. */
  readonly lastMessageAt: string | null
}

/** A function's topic with its group. */
export interface TopicReading {
  readonly topic: string
  readonly group: string
  /** Empty when Kafka has no such topic. */
  readonly partitions: readonly PartitionReading[]
  readonly lag: number
  readonly messageCount: number
  readonly rowCount: number
  readonly deadLetterCount: number
  readonly lostCount: number
  readonly lastMessageAt: string | null
  /** Kafka's word for the group; Dead when there is none. */
  readonly state: string
  readonly members: GroupView['members']
}

interface ReaderDependencies {
  readonly topics: readonly string[]
  readonly groupPrefix: string
  readonly cluster: Pick<ClusterView, 'topics' | 'groups' | 'committed'>
  readonly queries: Pick<GatewayQueries, 'topicStatus'>
  readonly timeoutMs: number
}

/**
 * Builds the reading of all functions' topics, in their order. Callers at one time share a reading.
 * Rejects with SMG_GATEWAY_KAFKA_AWAY or SMG_GATEWAY_DATABASE_AWAY.
 */
export function createTopicReader({ topics, groupPrefix, cluster, queries, timeoutMs }: ReaderDependencies) {
  const groupOf = (topic: string) => `${groupPrefix}${topic}`
  const topicOf = (groupId: string) => groupId.slice(groupPrefix.length)

  return coalesce(async (): Promise<TopicReading[]> => {
    const late = () => new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
    const [statuses, { views, groups, commits }] = await Promise.all([
      queries.topicStatus.all(),
      within(readKafka(), timeoutMs, late).catch(error => {
        throw toKafkaProblem(error, topics.join(', '))
      })
    ])

    return topics.map((topic, index) => {
      const groupId = groupOf(topic)
      const own = statuses.filter(status => status.topic === topic && status.groupId === groupId)
      const committed = commits[index] ?? new Map()
      return toReading({ topic, groupId, view: views.get(topic), group: groups.get(groupId), committed, statuses: own })
    })
  })

  async function readKafka() {
    const [views, groups, commits] = await Promise.all([
      cluster.topics(topics),
      cluster.groups(topics.map(groupOf), topicOf),
      Promise.all(topics.map(topic => cluster.committed(groupOf(topic), topic)))
    ])
    return { views, groups, commits }
  }
}

export type TopicReader = ReturnType<typeof createTopicReader>

interface Parts {
  readonly topic: string
  readonly groupId: string
  readonly view: TopicView | undefined
  readonly group: GroupView | undefined
  readonly committed: ReadonlyMap<number, bigint>
  readonly statuses: readonly PartitionStatus[]
}

function toReading({ topic, groupId, view, group, committed, statuses }: Parts): TopicReading {
  const partitions = (view?.partitions ?? []).map(partition => {
    const status = statuses.find(one => one.partition === partition.partition)
    const nextOffset = status?.nextOffset ?? null
    const behind = partition.logEndOffset - (nextOffset ?? partition.logStartOffset)
    return {
      ...partition,
      currentOffset: committed.get(partition.partition) ?? null,
      nextOffset,
      lag: behind > 0n ? Number(behind) : 0,
      lastMessageAt: status?.lastMessageAt ?? null
    }
  })
  return {
    topic,
    group: groupId,
    partitions: partitions.sort((one, other) => one.partition - other.partition),
    lag: sum(partitions, ({ lag }) => lag),
    messageCount: sum(statuses, ({ messageCount }) => messageCount),
    rowCount: sum(statuses, ({ rowCount }) => rowCount),
    deadLetterCount: sum(statuses, ({ deadLetterCount }) => deadLetterCount),
    lostCount: sum(statuses, ({ lostCount }) => lostCount),
    lastMessageAt: latest(statuses.map(({ lastMessageAt }) => lastMessageAt)),
    state: group?.state ?? 'Dead',
    members: group?.members ?? []
  }
}

function latest(times: readonly (string | null)[]): string | null {
  return times.reduce((last, time) => (last === null || (time !== null && time > last) ? time : last), null)
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0)
}
