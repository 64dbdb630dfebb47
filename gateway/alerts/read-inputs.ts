import type { FunctionState } from '../../db/queries/function-states.ts'
import type { ClusterView } from '../../kafka/types.ts'
import type { LoadedFunction } from '../../sdk/types.ts'
import type { Sampler } from '../sampler.ts'
import { toPlaceKey } from '../samples.ts'
import type { TopicReading } from '../topic-reader.ts'
import { within } from '../within.ts'
import { createBrokerSights } from './broker-sights.ts'
import { createIncreases } from './increases.ts'
import { createPartitionWindows, type PartitionSight } from './partition-windows.ts'
import type { AlertInputs, FunctionInput, TopicInput } from './types.ts'

interface InputDependencies {
  readonly functions: ReadonlyMap<string, LoadedFunction>
  readonly groupPrefix: string
  readonly sampler: Pick<Sampler, 'snapshot'>
  readonly cluster: Pick<ClusterView, 'brokers'>
  /** In milliseconds, of a clock that nobody sets. */
  readonly steadyMs: () => number
}

/** All but what every gateway counts. */
export interface LocalInputs extends Omit<AlertInputs, 'counts'> {
  /** A broker answers, and the logs could be read. */
  readonly seesKafka: boolean
}

/** A reading takes no longer, give or take some milliseconds: for the brokers it waits, the rest is in memory. */
export const READING_TIMEOUT_MS = 2_000
const SHORT_WINDOW_MS = 300_000
const LONG_WINDOW_MS = 3_600_000
const LEAST_WINDOW_MS = 120_000

/**
 * Builds the reading of what the rules look at, from what the sampler saw last. Rejects never: what is away is null.
 * Every gateway reads, also one that does not evaluate: its windows are full when it has to.
 */
export function createInputReader({ functions, groupPrefix, sampler, cluster, steadyMs }: InputDependencies) {
  const windows = createPartitionWindows()
  const brokers = createBrokerSights(steadyMs)
  const settled = createIncreases(SHORT_WINDOW_MS, steadyMs)
  const dead = createIncreases(SHORT_WINDOW_MS, steadyMs)
  const lost = createIncreases(LONG_WINDOW_MS, steadyMs)

  return async function readInputs(): Promise<LocalInputs> {
    const late = () => new Error('late')
    const answering = await within(cluster.brokers(), READING_TIMEOUT_MS, late).catch((): readonly number[] => [])
    const { atMs, away, topics, functionStates, database } = sampler.snapshot()
    const hasKafka = atMs !== null && away.kafka === null
    const hasDatabase = atMs !== null && away.database === null
    const states = toOwn(functionStates)
    return {
      seesKafka: hasKafka && answering.length > 0,
      topics: hasKafka && hasDatabase ? toTopics(topics, states) : null,
      underReplicated: hasKafka ? topics.map(toUnderReplicated) : null,
      brokers: brokers.see(answering, replicasOf(topics)),
      functions: hasDatabase ? states : null,
      deadLetters:
        hasDatabase && database.deadLetters
          ? [...database.deadLetters].map(([topic, { oldestSeconds }]) => ({ topic, oldestSeconds }))
          : null,
      outbox: hasDatabase ? database.outbox : null
    }
  }

  function toOwn(states: readonly FunctionState[]): FunctionInput[] {
    return [...functions.keys()].map(topic => {
      const known = states.find(state => state.topic === topic && state.groupId === `${groupPrefix}${topic}`)
      return { topic, state: known?.state ?? 'running', isFlood: known?.isFlood ?? false }
    })
  }

  function toTopics(readings: readonly TopicReading[], states: readonly FunctionInput[]): TopicInput[] {
    const verdicts = windows.judge(
      readings.flatMap(reading => toSights(reading, states)),
      steadyMs()
    )
    return readings.map(({ topic, lag, lagSeconds, partitions, ...counters }) => {
      const statuses = partitions.map(({ partition }) => verdicts.get(toPlaceKey(topic, partition)))
      const count = (status: string) => statuses.filter(one => one === status).length
      const losses = lost.add(topic, counters.lostCount)
      return {
        topic,
        lag,
        lagSeconds,
        stalled: count('stalled'),
        stopped: count('stopped'),
        rewound: count('rewound'),
        settled: settled.add(topic, counters.messageCount).increase,
        dead: dead.add(topic, counters.deadLetterCount).increase,
        lost: losses.increase > 0 || losses.isWhole ? losses.increase : null
      }
    })
  }

  function toSights({ topic, partitions, members }: TopicReading, states: readonly FunctionInput[]): PartitionSight[] {
    const owned = new Set(members.flatMap(member => member.partitions))
    const isHeld = (states.find(one => one.topic === topic)?.state ?? 'running') !== 'running'
    const windowMs = toWindowMs(functions.get(topic)?.options)
    return partitions.map(({ partition, nextOffset, logStartOffset, logEndOffset, lag }) => ({
      key: toPlaceKey(topic, partition),
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

function toUnderReplicated({ topic, partitions }: TopicReading) {
  const lacking = partitions.filter(({ replicas, inSyncReplicas }) => inSyncReplicas.length < replicas.length)
  return { topic, partitions: lacking.length }
}
