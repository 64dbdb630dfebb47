import type { GatewayQueries } from '../../db/queries/gateway.ts'
import type { ClusterView } from '../../kafka/types.ts'
import type { LoadedFunction } from '../../sdk/types.ts'
import type { Snapshot } from '../sampler.ts'
import type { TopicReading } from '../topic-reader.ts'
import { within } from '../within.ts'
import { createBrokerSights } from './broker-sights.ts'
import { createIncreases } from './increases.ts'
import { createPartitionWindows, type PartitionSight } from './partition-windows.ts'
import type { AlertInputs, FunctionInput, TopicInput } from './types.ts'

interface InputDependencies {
  readonly functions: ReadonlyMap<string, LoadedFunction>
  readonly groupPrefix: string
  readonly sampler: { snapshot(): Pick<Snapshot, 'atMs' | 'topics' | 'away'> }
  readonly cluster: Pick<ClusterView, 'brokers'>
  /** With deadlines. */
  readonly queries: Pick<GatewayQueries, 'alerts'>
  /** In milliseconds, of a clock that nobody sets. */
  readonly steadyMs: () => number
}

/** All but what every gateway counts. */
export type LocalInputs = Omit<AlertInputs, 'counts'>

const BROKERS_TIMEOUT_MS = 2_000
/** A snapshot that was not replaced for so long says nothing of now. */
const STALE_MS = 20_000
const SHORT_WINDOW_MS = 300_000
const LONG_WINDOW_MS = 3_600_000
const LEAST_WINDOW_MS = 120_000

/**
 * Builds the reading of what the rules look at. Rejects never: what cannot be read is null. Every gateway reads, also
 * one that does not evaluate: its windows are full when it has to.
 */
export function createInputReader(dependencies: InputDependencies) {
  const { functions, groupPrefix, sampler, cluster, queries, steadyMs } = dependencies
  const topics = [...functions.keys()]
  const windows = createPartitionWindows()
  const brokers = createBrokerSights(steadyMs)
  const settled = createIncreases(SHORT_WINDOW_MS, steadyMs)
  const dead = createIncreases(SHORT_WINDOW_MS, steadyMs)
  const lost = createIncreases(LONG_WINDOW_MS, steadyMs)
  let seen: { sampleMs: number | null; atMs: number } = { sampleMs: null, atMs: 0 }

  return async function readInputs(): Promise<LocalInputs> {
    const unknown = () => null
    const [answering, states, deadLetters, outbox] = await Promise.all([
      within(cluster.brokers(), BROKERS_TIMEOUT_MS, () => new Error('late')).catch((): readonly number[] => []),
      queries.alerts.functions().catch(unknown),
      queries.alerts.deadLetters(topics).catch(unknown),
      queries.alerts.outbox().catch(unknown)
    ])
    const own = states && toOwn(states)
    const readings = findFresh()
    return {
      topics: readings && toTopics(readings, own ?? []),
      brokers: brokers.see(answering, replicasOf(sampler.snapshot().topics)),
      functions: own,
      deadLetters,
      outbox
    }
  }

  function toOwn(states: readonly (FunctionInput & { groupId: string })[]): FunctionInput[] {
    return topics.map(topic => {
      const known = states.find(state => state.topic === topic && state.groupId === `${groupPrefix}${topic}`)
      return { topic, state: known?.state ?? 'running', isFlood: known?.isFlood ?? false }
    })
  }

  /** Gives null while Kafka or PostgreSQL is away: what was seen last says nothing of now. */
  function findFresh(): readonly TopicReading[] | null {
    const { atMs, topics: readings, away } = sampler.snapshot()
    if (atMs !== seen.sampleMs) seen = { sampleMs: atMs, atMs: steadyMs() }
    const isThere = atMs !== null && away.kafka === null && away.database === null
    return isThere && steadyMs() - seen.atMs < STALE_MS ? readings : null
  }

  function toTopics(readings: readonly TopicReading[], states: readonly FunctionInput[]): TopicInput[] {
    const verdicts = windows.judge(
      readings.flatMap(reading => toSights(reading, states)),
      steadyMs()
    )
    return readings.map(reading => {
      const { topic, lag, lagSeconds, partitions } = reading
      const statuses = partitions.map(({ partition }) => verdicts.get(toKey(topic, partition)))
      const count = (status: string) => statuses.filter(one => one === status).length
      const losses = lost.add(topic, reading.lostCount)
      return {
        topic,
        lag,
        lagSeconds,
        underReplicated: partitions.filter(isUnderReplicated).length,
        stalled: count('stalled'),
        stopped: count('stopped'),
        rewound: count('rewound'),
        settled: settled.add(topic, reading.messageCount).increase,
        dead: dead.add(topic, reading.deadLetterCount).increase,
        lost: losses.increase > 0 || losses.isWhole ? losses.increase : null
      }
    })
  }

  function toSights({ topic, partitions, members }: TopicReading, states: readonly FunctionInput[]): PartitionSight[] {
    const owned = new Set(members.flatMap(member => member.partitions))
    const isHeld = (states.find(one => one.topic === topic)?.state ?? 'running') !== 'running'
    const windowMs = toWindowMs(functions.get(topic)?.options)
    return partitions.map(({ partition, nextOffset, logStartOffset, logEndOffset, lag }) => ({
      key: toKey(topic, partition),
      offset: nextOffset ?? logStartOffset,
      logEnd: logEndOffset,
      lag,
      isOwned: owned.has(partition),
      isHeld,
      windowMs
    }))
  }
}

/** Twice as long as one record may take, in all its attempts: who takes longer does not move. */
function toWindowMs(options: LoadedFunction['options'] | undefined): number {
  if (!options) return LEAST_WINDOW_MS
  const { maxAttempts, timeoutMs, backoffMs } = options
  return Math.max(LEAST_WINDOW_MS, 2 * (maxAttempts * timeoutMs + (maxAttempts - 1) * backoffMs.max))
}

function replicasOf(topics: readonly TopicReading[]): number[] {
  return topics.flatMap(({ partitions }) => partitions.flatMap(({ replicas }) => replicas))
}

function isUnderReplicated({ replicas, inSyncReplicas }: TopicReading['partitions'][number]): boolean {
  return inSyncReplicas.length < replicas.length
}

function toKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}
