import type { Logger } from 'pino'
import type { KafkaClient } from './client.ts'
import { findOldest } from './find-oldest.ts'
import { describeGroup, fetchCommitted, toGroupView } from './groups.ts'
import { createLink } from './link.ts'
import { LOG_DIRS_API, type LogDir, logDirsRequest } from './log-dirs.ts'
import type { Metadata } from './metadata.ts'
import { fetchRanges, type LogRange } from './offsets.ts'
import { fetchOffsetsAt } from './offsets-at.ts'
import type { ClusterView, GroupView, LogDirsView, LogPlace, OldestRecord, TopicView } from './types.ts'

const NOTHING: LogRange = { logStartOffset: 0n, logEndOffset: 0n }

/**
 * Builds the reads of the cluster. Connections are made by the first read and made anew after a failure; each read
 * settles within 5 s, and reads may run at once.
 */
export function createClusterView(
  client: Pick<KafkaClient, 'brokers' | 'cluster' | 'toKafkaTopic' | 'toTopic'>,
  { log }: { log: Logger }
): ClusterView {
  const link = createLink({ ...client, log })
  // Of partitions whose leader is away: the last that was seen, by topic in Kafka and partition.
  const lastRanges = new Map<string, LogRange>()

  function ask(topics: readonly string[]): Promise<Metadata> {
    return link.metadata(topics.map(client.toKafkaTopic))
  }

  function toView(
    topic: string,
    found: Metadata,
    ranges: Awaited<ReturnType<typeof fetchRanges>>
  ): TopicView | undefined {
    const name = client.toKafkaTopic(topic)
    const seen = found.topics.get(name)
    return (
      seen && {
        topicId: seen.topicId,
        partitions: seen.partitions.map(view => {
          const place = `${name}/${view.partition}`
          const range = ranges.get(name)?.get(view.partition) ?? lastRanges.get(place) ?? NOTHING
          lastRanges.set(place, range)
          return { ...view, ...range }
        })
      }
    )
  }

  return {
    topics: topics =>
      link.call(async () => {
        const found = await ask(topics)
        const ranges = await fetchRanges(link, found)
        return pick(topics, topic => toView(topic, found, ranges))
      }),

    offsets: topic =>
      link.call(async () => {
        const ranges = await fetchRanges(link, await ask([topic]), { withStable: true })
        return ranges.get(client.toKafkaTopic(topic)) ?? new Map<number, LogRange>()
      }),

    offsetsAt: (topic, timestampMs) => link.call(async () => fetchOffsetsAt(link, await ask([topic]), timestampMs)),

    topicIds: topics =>
      link.call(async () => {
        const found = await ask(topics)
        return pick(topics, topic => found.topics.get(client.toKafkaTopic(topic))?.topicId)
      }),

    committed: (groupId, topic) =>
      link.call(async () => {
        const name = client.toKafkaTopic(topic)
        const seen = (await ask([topic])).topics.get(name)
        if (!seen) return new Map<number, bigint>()
        const partitions = seen.partitions.map(({ partition }) => partition)
        return fetchCommitted(link, { groupId, topic: name, partitions })
      }),

    groups: (groupIds, topic) =>
      link.call(async () => {
        const views = new Map<string, GroupView>()
        for (const description of await Promise.all(groupIds.map(groupId => describeGroup(link, groupId)))) {
          // Kafka's word for a group that it never heard of.
          if (!description || description.state === 'Dead') continue
          const { groupId } = description
          views.set(groupId, toGroupView(description, client.toKafkaTopic(topic(groupId))))
        }
        return views
      }),

    oldest: places => Promise.all(places.map(findAt)),

    logDirs: () =>
      link.call(async () => {
        const { brokers } = await link.metadata([])
        const found = await Promise.all(brokers.map(({ nodeId }) => fetchLogDirs(nodeId)))
        const dirs = found.flatMap(ofBroker => ofBroker ?? [])
        return dirs.length === 0 ? null : sumLogDirs(dirs, client.toTopic)
      }),

    brokers: () =>
      link.call(async () => {
        const { brokers } = await link.metadata([])
        const answers = await Promise.allSettled(brokers.map(({ nodeId }) => link.node(nodeId, async () => nodeId)))
        return answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : [])).sort((a, b) => a - b)
      }),

    close: () => link.close()
  }

  async function findAt({ topic, leader, ...place }: LogPlace): Promise<OldestRecord | null | undefined> {
    if (leader === null) return undefined
    try {
      return await findOldest(link, { ...place, leader, name: client.toKafkaTopic(topic) })
    } catch (error) {
      // Once: what moved or is away is asked for again with the next look.
      log.debug({ err: error, topic, partition: place.partition }, 'the oldest record cannot be read')
      return undefined
    }
  }

  /** Null where a broker is too old, or may not tell. */
  async function fetchLogDirs(nodeId: number) {
    try {
      return await link.node(nodeId, async ({ versions, connectionPool }) => {
        const { maxVersion = 0 } = versions?.[LOG_DIRS_API.apiKey] ?? {}
        return maxVersion < LOG_DIRS_API.apiVersion ? null : connectionPool.send(logDirsRequest())
      })
    } catch (error) {
      log.debug({ err: error, broker: nodeId }, 'no log directories')
      return null
    }
  }
}

function sumLogDirs(dirs: readonly LogDir[], toTopic: KafkaClient['toTopic']): LogDirsView {
  const topicBytes = new Map<string, bigint>()

  for (const [name, bytes] of dirs.flatMap(dir => dir.topicBytes)) {
    const topic = toTopic(name)
    if (topic !== undefined) topicBytes.set(topic, (topicBytes.get(topic) ?? 0n) + bytes)
  }
  return {
    totalBytes: dirs.reduce((sum, dir) => sum + dir.totalBytes, 0n),
    usableBytes: dirs.reduce((sum, dir) => sum + dir.usableBytes, 0n),
    topicBytes
  }
}

/** A map of what `find` knows, in the order of `topics`. */
function pick<T>(topics: readonly string[], find: (topic: string) => T | undefined): Map<string, T> {
  const found = new Map<string, T>()
  for (const topic of topics) {
    const value = find(topic)
    if (value !== undefined) found.set(topic, value)
  }
  return found
}
