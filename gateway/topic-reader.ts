import type { GatewayQueries } from '../db/queries/gateway.ts'
import type { PartitionStatus } from '../db/queries/topic-status.ts'
import type { ClusterView, GroupView, TopicView } from '../kafka/types.ts'
import { coalesce } from './coalesce.ts'
import { gatewayErrors } from './errors.ts'
import { createPlacing, type PlacedPartition } from './place-partitions.ts'
import { toKafkaProblem } from './produce.ts'
import type { ReadAges } from './record-ages.ts'
import { toPlaceKey } from './samples.ts'
import { within } from './within.ts'

/** A partition as Kafka and PostgreSQL see it. */
export interface PartitionReading extends PlacedPartition {
  /** Age of the oldest record that is not handled; 0 without one, null when it is not known. */
  readonly lagSeconds: number | null
}

/** A function's topic with its group. */
export interface TopicReading {
  readonly topic: string
  readonly group: string
  /** Empty when Kafka has no such topic. */
  readonly partitions: readonly PartitionReading[]
  readonly lag: number
  /** Of the partition where it is most; null when one of those that lag is not known. */
  readonly lagSeconds: number | null
  readonly messageCount: number
  readonly rowCount: number
  readonly deadLetterCount: number
  readonly lostCount: number
  readonly lastMessageAt: string | null
  /** Kafka's word for the group; Dead when there is none. */
  readonly state: string
  readonly members: GroupView['members']
}

/** What Kafka knows of the topics. */
export interface Logs {
  readonly views: ReadonlyMap<string, TopicView>
  readonly groups: ReadonlyMap<string, GroupView>
  /** Commits by partition, a map a topic in their order. */
  readonly commits: readonly ReadonlyMap<number, bigint>[]
}

interface ReaderDependencies {
  readonly topics: readonly string[]
  readonly groupPrefix: string
  readonly cluster: Pick<ClusterView, 'topics' | 'groups' | 'committed'>
  readonly queries: Pick<GatewayQueries, 'topicStatus'>
  readonly readAges: ReadAges
  readonly steadyMs: () => number
  readonly timeoutMs: number
}

/** The ages are worth so much waiting; without them the reading is as good. */
const AGES_TIMEOUT_MS = 1_000
const NO_TOPIC: TopicView = { topicId: null, partitions: [] }

/** Builds the reading of all functions' topics, in their order. */
export function createTopicReader(dependencies: ReaderDependencies) {
  const { topics, groupPrefix, cluster, queries, readAges, steadyMs, timeoutMs } = dependencies
  const groupOf = (topic: string) => `${groupPrefix}${topic}`
  const topicOf = (groupId: string) => groupId.slice(groupPrefix.length)
  const placePartitions = createPlacing(steadyMs)

  return {
    /**
     * Callers at one time share a reading. Rejects with SMG_GATEWAY_KAFKA_AWAY or SMG_GATEWAY_DATABASE_AWAY, in
     * `timeoutMs` or, where PostgreSQL has one of its own, in that.
     */
    read: coalesce(async (): Promise<TopicReading[]> => {
      const lateMs = performance.now() + timeoutMs
      // First the positions, then the ends: a position is never beyond the end then.
      const statuses = await queries.topicStatus.all()
      const logs = await readLogs(lateMs - performance.now())
      return combine(statuses, logs, lateMs - performance.now())
    }),
    readLogs,
    combine
  }

  /** Rejects with SMG_GATEWAY_KAFKA_AWAY. */
  async function readLogs(limitMs = timeoutMs): Promise<Logs> {
    const late = () => new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
    return within(readKafka(), Math.max(1, limitMs), late).catch(error => {
      throw toKafkaProblem(error, topics.join(', '))
    })
  }

  async function readKafka(): Promise<Logs> {
    const [views, groups, commits] = await Promise.all([
      cluster.topics(topics),
      cluster.groups(topics.map(groupOf), topicOf),
      Promise.all(topics.map(topic => cluster.committed(groupOf(topic), topic)))
    ])
    return { views, groups, commits }
  }

  /** Puts positions and logs together, and looks how long the oldest records wait. Rejects never. */
  async function combine(
    statuses: readonly PartitionStatus[],
    logs: Logs,
    limitMs = AGES_TIMEOUT_MS
  ): Promise<TopicReading[]> {
    const placed = topics.map((topic, index) => {
      const group = groupOf(topic)
      const view = logs.views.get(topic) ?? NO_TOPIC
      const own = statuses.filter(status => status.topic === topic && status.groupId === group)
      const partitions = placePartitions(topic, view, own, logs.commits[index] ?? new Map())
      return { topic, group, topicId: view.topicId, statuses: own, partitions, view: logs.groups.get(group) }
    })
    const places = placed.flatMap(({ topic, topicId, partitions }) =>
      partitions.filter(({ lag }) => lag > 0).map(one => ({ ...one, topic, topicId, offset: one.oldestOffset }))
    )
    const ages = await readAges(places, Math.max(1, Math.min(limitMs, AGES_TIMEOUT_MS)))
    const ageOf = new Map(places.map(({ topic, partition }, index) => [toPlaceKey(topic, partition), ages[index]]))

    return placed.map(({ topic, partitions, ...parts }) => {
      const aged = partitions.map(one => {
        const lagSeconds = one.lag === 0 ? 0 : (ageOf.get(toPlaceKey(topic, one.partition)) ?? null)
        return { ...one, lagSeconds }
      })
      return toReading({ ...parts, topic, partitions: aged })
    })
  }
}

export type TopicReader = ReturnType<typeof createTopicReader>

interface Parts {
  readonly topic: string
  readonly group: string
  readonly partitions: readonly PartitionReading[]
  readonly statuses: readonly PartitionStatus[]
  readonly view: GroupView | undefined
}

function toReading({ topic, group, partitions, statuses, view }: Parts): TopicReading {
  const ages = partitions.map(({ lagSeconds }) => lagSeconds)
  return {
    topic,
    group,
    partitions,
    lag: sum(partitions, ({ lag }) => lag),
    lagSeconds: ages.includes(null) ? null : Math.max(0, ...ages.map(Number)),
    messageCount: sum(statuses, ({ messageCount }) => messageCount),
    rowCount: sum(statuses, ({ rowCount }) => rowCount),
    deadLetterCount: sum(statuses, ({ deadLetterCount }) => deadLetterCount),
    lostCount: sum(statuses, ({ lostCount }) => lostCount),
    lastMessageAt: latest(statuses.map(({ lastMessageAt }) => lastMessageAt)),
    state: view?.state ?? 'Dead',
    members: view?.members ?? []
  }
}

function latest(times: readonly (string | null)[]): string | null {
  return times.reduce((last, time) => (last === null || (time !== null && time > last) ? time : last), null)
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0)
}
