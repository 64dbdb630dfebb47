import t from 'tap'
import { ensureTopics, raisePartitions } from '../../../kafka/topics.ts'
import { createTestClient, until } from '../../_support/kafka.ts'

const spec = { partitions: 3, retentionMs: 3_600_000 }
const options = { create: true, replicationFactor: 1 }
const TOPIC_RESOURCE = 2

t.test('makes what is missing, ready to be written', async t => {
  const client = createTestClient()
  const admin = client.admin()
  t.teardown(() => admin.disconnect())
  await admin.connect()

  t.strictSame(await ensureTopics(client, [{ topic: 'a', ...spec }], options), [])

  const [topic] = (await admin.fetchTopicMetadata({ topics: [client.toKafkaTopic('a')] })).topics
  t.equal(topic?.partitions.length, 3)
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [
      { type: TOPIC_RESOURCE, name: client.toKafkaTopic('a'), configNames: ['retention.ms', 'max.message.bytes'] }
    ]
  })
  const configs = Object.fromEntries(
    resources.flatMap(({ configEntries }) =>
      configEntries.map(({ configName, configValue }) => [configName, configValue])
    )
  )
  t.strictSame(configs, { 'retention.ms': '3600000', 'max.message.bytes': '2097152' })
})

t.test('makes a topic once when several start together', async t => {
  const client = createTestClient()
  const specs = ['a', 'b', 'c'].map(topic => ({ topic, ...spec }))

  const drifts = await Promise.all(Array.from({ length: 4 }, () => ensureTopics(client, specs, options)))

  t.strictSame(drifts.flat(), [])
})

t.test('reports how a topic differs, and changes nothing', async t => {
  const client = createTestClient()
  await ensureTopics(client, [{ topic: 'a', ...spec }], options)
  const wanted = [{ topic: 'a', partitions: 6, retentionMs: 1_000 }]
  const drift = [
    { topic: 'a', setting: 'partitions', expected: '6', actual: '3' },
    { topic: 'a', setting: 'retention.ms', expected: '1000', actual: '3600000' },
    { topic: 'a', setting: 'replication.factor', expected: '3', actual: '1' }
  ]

  t.strictSame(await ensureTopics(client, wanted, { ...options, replicationFactor: 3 }), drift)
  t.strictSame(await ensureTopics(client, wanted, { ...options, replicationFactor: 3 }), drift, 'still so')
})

t.test('gives a topic more partitions, never fewer, and makes none', async t => {
  const client = createTestClient()
  const admin = client.admin()
  t.teardown(() => admin.disconnect())
  await admin.connect()
  await ensureTopics(client, [{ topic: 'a', ...spec }], options)
  const wanted = (partitions: number) => [
    { topic: 'a', partitions },
    { topic: 'missing', partitions }
  ]
  const count = async () =>
    (await admin.fetchTopicMetadata({ topics: [client.toKafkaTopic('a')] })).topics[0]?.partitions.length

  t.strictSame(await raisePartitions(client, wanted(2)), [])
  t.equal(await count(), 3)
  t.strictSame(await raisePartitions(client, wanted(5)), ['a'])
  await until(async () => (await count()) === 5)
})

t.test('names the topics that are missing when it may not make them', async t => {
  const client = createTestClient()
  const specs = ['a', 'b'].map(topic => ({ topic, ...spec }))

  const ensured = ensureTopics(client, specs, { ...options, create: false })

  await t.rejects(ensured, { code: 'SMG_KAFKA_TOPICS_MISSING', message: /no topic a, b:/ })
})

t.test('says why a topic cannot be made', async t => {
  const client = createTestClient()

  const ensured = ensureTopics(client, [{ topic: 'a', ...spec }], { create: true, replicationFactor: 30 })

  await t.rejects(ensured, { code: 'SMG_KAFKA_TOPIC_CREATE', message: /[Rr]eplication/ })
})

t.test('rejects in time when no broker is there', async t => {
  const client = createTestClient({ KAFKA_BROKERS: '127.0.0.1:1' })

  await t.rejects(ensureTopics(client, [{ topic: 'a', ...spec }], options), { code: 'SMG_KAFKA_UNAVAILABLE' })
})
