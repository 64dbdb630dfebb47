import type { FastifyBaseLogger } from 'fastify'
import type { FunctionState } from '../db/queries/function-states.ts'
import type { GatewayQueries } from '../db/queries/gateway.ts'
import type { PartitionStatus } from '../db/queries/topic-status.ts'
import type { ClusterView, LogDirsView } from '../kafka/types.ts'
import { createBrokerSights } from './alerts/broker-sights.ts'
import { createDatabaseDetails, type DatabaseDetails } from './database-details.ts'
import { gatewayErrors } from './errors.ts'
import type { MinuteRecorder } from './minute-stats.ts'
import { type Counted, createSamples, type Sample } from './samples.ts'
import type { Logs, TopicReader, TopicReading } from './topic-reader.ts'
import { within } from './within.ts'

/** What the sampler saw last, of each part when it was last there. */
export interface Snapshot {
  /** When the last sample ended, epoch in milliseconds; null before the first. */
  readonly atMs: number | null
  /** Empty until Kafka and PostgreSQL were seen once. While PostgreSQL is away, of its last positions. */
  readonly topics: readonly TopicReading[]
  /** Null where the brokers do not tell. */
  readonly logDirs: LogDirsView | null
  /** That answer; 0 while Kafka is away, null before the first sample. */
  readonly brokers: number | null
  /** That should: they hold replicas, or answered within the last day. */
  readonly brokersExpected: number
  /** Partitions with fewer replicas in sync than they have; null until Kafka was seen. */
  readonly underReplicatedPartitions: number | null
  readonly functionStates: readonly FunctionState[]
  /** A few samples old, or a minute where the last could not be read. */
  readonly database: DatabaseDetails
  /** Since when each is away, epoch in milliseconds; null while it is there. */
  readonly away: { readonly kafka: number | null; readonly database: number | null }
}

interface SamplerDependencies {
  readonly reader: Pick<TopicReader, 'readLogs' | 'combine'>
  readonly cluster: Pick<ClusterView, 'brokers' | 'logDirs'>
  readonly queries: Pick<GatewayQueries, 'topicStatus' | 'functionStates' | 'stats'>
  readonly minutes: { readonly requests: MinuteRecorder; readonly queries: MinuteRecorder }
  readonly log: FastifyBaseLogger
  readonly now: () => number
  /** A clock that nobody sets. */
  readonly steadyMs: () => number
  readonly intervalMs: number
}

interface DatabaseView {
  readonly statuses: readonly PartitionStatus[]
  readonly states: readonly FunctionState[]
}

interface KafkaView {
  readonly logs: Logs
  /** That answer, by their ids. */
  readonly brokers: readonly number[]
  readonly logDirs: LogDirsView | null
}

// 20 minutes at 3 s.
const MAX_SAMPLES = 400
const KAFKA_TIMEOUT_MS = 1_900
/** The details are asked for with every so many samples, whatever came of the last time. */
const DETAILS_EVERY = 5

/**
 * Looks at Kafka and PostgreSQL every `intervalMs` and remembers what it saw. While one of them is away, the other is
 * looked at all the same, and what was seen last stands.
 */
export function createSampler(dependencies: SamplerDependencies) {
  const { reader, cluster, queries, minutes, log, now, steadyMs, intervalMs } = dependencies
  const samples = createSamples({ steadyMs, max: MAX_SAMPLES })
  const brokerSights = createBrokerSights(steadyMs)
  const details = createDatabaseDetails({ queries: queries.stats, log, steadyMs })
  let last: { database: DatabaseView | null; kafka: KafkaView | null } = { database: null, kafka: null }
  let snapshot: Snapshot = {
    atMs: null,
    topics: [],
    logDirs: null,
    brokers: null,
    brokersExpected: 0,
    underReplicatedPartitions: null,
    functionStates: [],
    database: details.seen(),
    away: { kafka: null, database: null }
  }
  let sampled = 0
  let detailsDue = 0
  let sampledAtMs = steadyMs()
  let timer: NodeJS.Timeout | null = null
  let isStopped = false

  return {
    sample,
    start,
    stop,
    snapshot: () => snapshot,
    samples: samples.all,
    /** A second over the last 60 seconds, of one topic or of all. */
    rateOf: (topic?: string, counted: Counted = 'written') => samples.rateOf(counted, topic),
    drainSecondsOf,
    intervalMs
  }

  /** Takes one sample. Rejects never: what is away is said once, and once more when it is back. */
  async function sample(): Promise<void> {
    // First the positions, then the ends: a position is never beyond the end then.
    const database = await look('database', readDatabase)
    const [kafka] = await Promise.all([look('kafka', readKafka), readDetails(database !== null)])
    last = { database: database ?? last.database, kafka: kafka ?? last.kafka }

    if (kafka && last.database) {
      snapshot = { ...snapshot, topics: await reader.combine(last.database.statuses, kafka.logs) }
    }
    const brokers = kafka?.brokers ?? []
    const known = brokerSights.see(brokers, last.kafka ? toReplicas(last.kafka.logs) : [])
    snapshot = {
      ...snapshot,
      atMs: now(),
      logDirs: last.kafka?.logDirs ?? null,
      brokers: brokers.length,
      brokersExpected: known.size,
      underReplicatedPartitions: last.kafka && countUnderReplicated(last.kafka.logs),
      functionStates: last.database?.states ?? [],
      database: details.seen()
    }
    sampled += 1
    samples.add(toSample(database, kafka))
  }

  /** Gives null when it is away. */
  async function look<T>(part: 'kafka' | 'database', read: () => Promise<T>): Promise<T | null> {
    const sinceMs = snapshot.away[part]
    try {
      const seen = await read()
      if (sinceMs !== null) log.info({ part }, 'it can be sampled again')
      note(part, null)
      return seen
    } catch (err) {
      if (sinceMs === null) log.warn({ err, part }, 'it cannot be sampled')
      note(part, sinceMs ?? now())
      return null
    }
  }

  function note(part: 'kafka' | 'database', sinceMs: number | null) {
    snapshot = { ...snapshot, away: { ...snapshot.away, [part]: sinceMs } }
  }

  async function readDatabase(): Promise<DatabaseView> {
    const [statuses, states] = await Promise.all([
      queries.topicStatus.all(),
      queries.functionStates.all(),
      // How long PostgreSQL takes, also when nobody asks anything.
      queries.stats.probe()
    ])
    return { statuses, states }
  }

  async function readKafka(): Promise<KafkaView> {
    const late = () => new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
    const [logs, brokers, logDirs] = await Promise.all([
      reader.readLogs(KAFKA_TIMEOUT_MS),
      within(cluster.brokers(), KAFKA_TIMEOUT_MS, late),
      within(cluster.logDirs(), KAFKA_TIMEOUT_MS, late)
    ])
    return { logs, brokers, logDirs }
  }

  /** They are no reason to call PostgreSQL away. */
  async function readDetails(isThere: boolean): Promise<void> {
    if (!isThere || sampled < detailsDue) return
    detailsDue = sampled + DETAILS_EVERY
    await details.read()
  }

  function toSample(database: DatabaseView | null, kafka: KafkaView | null): Sample {
    const { topics } = snapshot
    const isWhole = database !== null && kafka !== null
    const atSteadyMs = steadyMs()
    const seconds = Math.round((atSteadyMs - sampledAtMs) / 1000)
    sampledAtMs = atSteadyMs
    const ages = topics.map(({ lagSeconds }) => lagSeconds)
    return {
      atMs: now(),
      steadyMs: atSteadyMs,
      written: kafka && countWritten(kafka.logs),
      settled: database && countBy(database.statuses, toSettledCount),
      deadLetters: database && countBy(database.statuses, ({ deadLetterCount }) => deadLetterCount),
      lag: isWhole ? sum(topics, ({ lag }) => lag) : null,
      lagSeconds: isWhole && !ages.includes(null) ? Math.max(0, ...ages.map(Number)) : null,
      requests: minutes.requests.readLast(seconds),
      queries: minutes.queries.readLast(seconds)
    }
  }

  /**
   * How long it takes until what waits now is settled, at the pace of the last minute and without what comes meanwhile;
   * Infinity when nothing is being settled, null for a topic that was not seen.
   */
  function drainSecondsOf(topic: string): number | null {
    const reading = snapshot.topics.find(one => one.topic === topic)
    if (!reading) return null
    return reading.lag === 0 ? 0 : reading.lag / samples.rateOf('settled', topic)
  }

  /** Samples at once and then again and again, with `intervalMs` between the end of one and the next. */
  function start(): void {
    void sample().then(() => {
      if (isStopped) return
      timer = setTimeout(start, intervalMs)
      timer.unref()
    })
  }

  function stop(): void {
    isStopped = true
    if (timer) clearTimeout(timer)
  }
}

export type Sampler = ReturnType<typeof createSampler>

function toReplicas({ views }: Logs): number[] {
  return [...views.values()].flatMap(({ partitions }) => partitions.flatMap(({ replicas }) => replicas))
}

function countUnderReplicated({ views }: Logs): number {
  const partitions = [...views.values()].flatMap(view => view.partitions)
  return partitions.filter(({ replicas, inSyncReplicas }) => inSyncReplicas.length < replicas.length).length
}

function countWritten({ views }: Logs): Map<string, number> {
  return new Map([...views].map(([topic, { partitions }]) => [topic, sum(partitions, one => Number(one.logEndOffset))]))
}

function countBy(
  statuses: readonly PartitionStatus[],
  count: (status: PartitionStatus) => number
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const status of statuses) counts.set(status.topic, (counts.get(status.topic) ?? 0) + count(status))
  return counts
}

/** Records that came to an end: with their effect, as dead letters, or as copies. */
function toSettledCount({ messageCount, deadLetterCount, duplicateCount }: PartitionStatus): number {
  return messageCount + deadLetterCount + duplicateCount
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0)
}
