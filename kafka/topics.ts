import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaClient } from './client.ts'
import { kafkaErrors } from './errors.ts'
import { findErrorType } from './failure.ts'
import { createLink, type Link } from './link.ts'
import type { Metadata } from './metadata.ts'
import { findDrift, MAX_MESSAGE_BYTES } from './topic-drift.ts'
import type { TopicDrift, TopicSpec } from './types.ts'

const CREATE_TIMEOUT_MS = 5_000
const LEADERS_TIMEOUT_MS = 15_000
const POLL_MS = 50

/** How topics are made. */
export interface EnsureOptions {
  readonly create: boolean
  readonly replicationFactor: number
}

/**
 * Makes the topics that are missing and waits until each partition has a leader. Several processes may do it at once.
 *
 * @returns how the topics that were there differ from their specs; empty when they do not. Nothing is changed
 * @throws SMG_KAFKA_TOPICS_MISSING without `create`; SMG_KAFKA_TOPIC_CREATE; SMG_KAFKA_UNAVAILABLE
 */
export async function ensureTopics(
  client: KafkaClient,
  specs: readonly TopicSpec[],
  { create, replicationFactor }: EnsureOptions
): Promise<TopicDrift[]> {
  const link = createLink(client)
  const names = specs.map(({ topic }) => client.toKafkaTopic(topic))

  try {
    const { topics, controllerId } = await link.call(() => link.metadata(names))
    const missing = specs.filter(({ topic }) => !topics.has(client.toKafkaTopic(topic)))

    if (missing.length > 0) {
      if (!create) throw new kafkaErrors.SMG_KAFKA_TOPICS_MISSING(missing.map(({ topic }) => topic).join(', '))
      await createTopics(link, controllerId, missing.map(toRequest))
      await waitForLeaders(
        link,
        missing.map(({ topic }) => client.toKafkaTopic(topic))
      )
    }
    return await findDrift(
      { client, link },
      specs.filter(spec => !missing.includes(spec)),
      replicationFactor
    )
  } finally {
    await link.close()
  }

  function toRequest({ topic, partitions, retentionMs }: TopicSpec) {
    const configEntries = [
      { name: 'retention.ms', value: String(retentionMs) },
      { name: 'max.message.bytes', value: String(MAX_MESSAGE_BYTES) },
      // With three replicas one may be away, and what is acknowledged is still on two.
      ...(replicationFactor >= 3 ? [{ name: 'min.insync.replicas', value: '2' }] : [])
    ]
    return { topic: client.toKafkaTopic(topic), numPartitions: partitions, replicationFactor, configEntries }
  }
}

/**
 * Gives topics more partitions where they have fewer than asked for; never takes any away. A topic that is missing stays so.
 *
 * @returns the topics that were raised
 * @throws SMG_KAFKA_REFUSED; SMG_KAFKA_UNAVAILABLE
 */
export async function raisePartitions(
  client: KafkaClient,
  specs: readonly Pick<TopicSpec, 'topic' | 'partitions'>[]
): Promise<string[]> {
  const link = createLink(client)
  try {
    const { topics, controllerId } = await link.call(() => link.metadata(specs.map(toName)))
    const lower = specs.filter(spec => {
      const found = topics.get(toName(spec))
      return found && found.partitions.length < spec.partitions
    })
    const topicPartitions = lower.map(spec => ({ topic: toName(spec), count: spec.partitions }))
    if (lower.length > 0)
      await link.call(() =>
        link.node(controllerId, broker => broker.createPartitions({ topicPartitions, timeout: CREATE_TIMEOUT_MS }))
      )
    return lower.map(({ topic }) => topic)
  } finally {
    await link.close()
  }

  function toName({ topic }: Pick<TopicSpec, 'topic'>): string {
    return client.toKafkaTopic(topic)
  }
}

type TopicRequest = Parameters<Parameters<Parameters<Link['any']>[0]>[0]['createTopics']>[0]['topics'][number]

async function createTopics(link: Link, controllerId: number, topics: TopicRequest[]): Promise<void> {
  const request = { topics, timeout: CREATE_TIMEOUT_MS }
  try {
    await link.call(async () => {
      try {
        // Under KRaft any broker passes it on, and this id is one of them.
        await link.node(controllerId, broker => broker.createTopics(request))
      } catch (error) {
        throwOther(error)
      }
    })
  } catch (error) {
    const names = topics.map(({ topic }) => topic).join(', ')
    throw new kafkaErrors.SMG_KAFKA_TOPIC_CREATE(names, reasonOf(error), { cause: error })
  }
}

/** Throws unless all that failed was made by somebody else meanwhile. */
function throwOther(error: unknown): void {
  const errors = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [error]
  const other = errors.find(each => findErrorType(each) !== 'TOPIC_ALREADY_EXISTS')
  if (other) throw other
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

// KafkaJS's own waiting rejects when a broker has not heard of a new topic yet (tulios/kafkajs#1563).
async function waitForLeaders(link: Link, names: readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + LEADERS_TIMEOUT_MS

  while (!hasLeaders(await link.call(() => link.metadata(names)), names)) {
    if (performance.now() > deadlineMs)
      throw new kafkaErrors.SMG_KAFKA_UNAVAILABLE(`no leaders for ${names.join(', ')}`)
    await sleep(POLL_MS)
  }
}

function hasLeaders({ topics }: Metadata, names: readonly string[]): boolean {
  return names.every(name => {
    const partitions = topics.get(name)?.partitions ?? []
    return partitions.length > 0 && partitions.every(({ leader }) => leader !== null)
  })
}
