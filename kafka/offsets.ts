import type { Broker } from './kafkajs-internals.ts'
import type { Link } from './link.ts'
import type { Metadata } from './metadata.ts'

/** Where the log of a partition begins and ends. */
export interface LogRange {
  readonly logStartOffset: bigint
  readonly logEndOffset: bigint
  /** Up to here a consumer gets records: an open transaction holds back what follows it. Only where it was asked for. */
  readonly stableEndOffset?: bigint
}

/** Ranges by topic and partition; the topics by their name in Kafka. */
export type LogRanges = Map<string, Map<number, LogRange>>

type Partitions = Map<string, number[]>

// The high watermark, as Kafka's group tool counts; under read_committed an open transaction would hide the end.
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const LATEST = -1
const EARLIEST = -2

/**
 * Asks the leaders for the ranges of all partitions, each leader once. What has no leader, or whose leader does not
 * answer, is missing.
 *
 * @throws KafkaJS's error when no leader answers at all
 */
export async function fetchRanges(
  link: Pick<Link, 'node'>,
  { topics }: Pick<Metadata, 'topics'>,
  { withStable = false } = {}
): Promise<LogRanges> {
  const leaders = groupByLeader(topics)
  const ranges: LogRanges = new Map()
  const answers = await Promise.allSettled(
    [...leaders].map(async ([leader, partitions]) => {
      for (const found of await link.node(leader, broker => askLeader(broker, partitions, withStable)))
        put(ranges, ...found)
    })
  )
  const failed = answers.find(answer => answer.status === 'rejected')
  if (failed && answers.every(answer => answer.status === 'rejected')) throw failed.reason
  return ranges
}

/** Parts partitions by their leaders; what has none is missing. */
export function groupByLeader(topics: Metadata['topics']): Map<number, Partitions> {
  const leaders = new Map<number, Partitions>()

  for (const [topic, { partitions }] of topics) {
    for (const { partition, leader } of partitions) {
      if (leader === null) continue
      const ofLeader = leaders.get(leader) ?? new Map<string, number[]>()
      leaders.set(leader, ofLeader.set(topic, [...(ofLeader.get(topic) ?? []), partition]))
    }
  }
  return leaders
}

async function askLeader(
  broker: Broker,
  partitions: Partitions,
  withStable: boolean
): Promise<[string, number, LogRange][]> {
  const [ends, starts, stable] = await Promise.all([
    listOffsets(broker, partitions, LATEST),
    listOffsets(broker, partitions, EARLIEST),
    withStable ? listOffsets(broker, partitions, LATEST, READ_COMMITTED) : null
  ])

  return [...ends].map(([place, { topic, partition, offset }]) => {
    const logStartOffset = starts.get(place)?.offset ?? 0n
    const stableEnd = stable?.get(place)?.offset
    const range = { logStartOffset, logEndOffset: offset }
    return [topic, partition, stableEnd === undefined ? range : { ...range, stableEndOffset: stableEnd }]
  })
}

/** Asks a leader for the offsets of its partitions at a time, in epoch milliseconds, or at an end; by `topic/partition`. */
export async function listOffsets(
  broker: Broker,
  partitions: Partitions,
  timestamp: number,
  isolationLevel = READ_UNCOMMITTED
) {
  const topics = [...partitions].map(([topic, ids]) => ({
    topic,
    partitions: ids.map(partition => ({ partition, timestamp }))
  }))
  const { responses } = await broker.listOffsets({ isolationLevel, topics })
  const found = responses.flatMap(({ topic, partitions: ofTopic }) =>
    ofTopic.map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) }))
  )
  return new Map(found.map(place => [`${place.topic}/${place.partition}`, place]))
}

function put(ranges: LogRanges, topic: string, partition: number, range: LogRange): void {
  const ofTopic = ranges.get(topic) ?? new Map<number, LogRange>()
  ranges.set(topic, ofTopic.set(partition, range))
}
