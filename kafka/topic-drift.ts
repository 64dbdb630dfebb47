import type { KafkaClient } from './client.ts'
import type { Link } from './link.ts'
import type { TopicDrift, TopicSpec } from './types.ts'

/** Twice what an event may have, so that headers and a dead letter's reason fit beside it. */
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024

const TOPIC_RESOURCE = 2
const CONFIGS = ['retention.ms', 'max.message.bytes'] as const

/** Compares topics that exist with their specs; gives what differs, in the order of `specs`. */
export async function findDrift(
  { client, link }: { client: Pick<KafkaClient, 'toKafkaTopic'>; link: Link },
  specs: readonly TopicSpec[],
  replicationFactor: number
): Promise<TopicDrift[]> {
  if (specs.length === 0) return []
  const names = specs.map(({ topic }) => client.toKafkaTopic(topic))
  const { topics } = await link.call(() => link.metadata(names))
  const configs = await link.call(() => fetchConfigs(link, names))

  return specs.flatMap(({ topic, partitions, retentionMs }) => {
    const name = client.toKafkaTopic(topic)
    const found = topics.get(name)?.partitions ?? []
    const settings = [
      ['partitions', partitions, found.length],
      ['retention.ms', retentionMs, configs.get(name)?.get('retention.ms')],
      ['max.message.bytes', MAX_MESSAGE_BYTES, configs.get(name)?.get('max.message.bytes')],
      ['replication.factor', replicationFactor, found[0]?.replicas.length]
    ] as const

    return settings
      .map(([setting, expected, actual]) => ({ topic, setting, expected: `${expected}`, actual: `${actual}` }))
      .filter(({ expected, actual }) => expected !== actual)
  })
}

async function fetchConfigs(link: Link, names: readonly string[]): Promise<Map<string, Map<string, string>>> {
  const resources = names.map(name => ({ type: TOPIC_RESOURCE, name, configNames: [...CONFIGS] }))
  const { resources: found } = await link.any(broker => broker.describeConfigs({ resources }))

  return new Map(
    found.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue]))
    ])
  )
}
