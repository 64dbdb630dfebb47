import t from 'tap'
import { createClusterView } from '../../../kafka/cluster.ts'
import { createLink } from '../../../kafka/link.ts'
import { metadataRequest } from '../../../kafka/metadata.ts'
import { createProducer } from '../../../kafka/producer.ts'
import { ensureTopics } from '../../../kafka/topics.ts'
import { createTestClient, silent, until } from '../../_support/kafka.ts'

const settings = {
  PRODUCER_LANES: 1,
  PRODUCER_LINGER_MS: 0,
  PRODUCER_BATCH_BYTES: 524_288,
  PRODUCER_COMPRESSION: 'none'
} as const
const client = createTestClient()
const view = createClusterView(client, { log: silent })
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const topics = ['a', 'b', 'c']
const groupId = client.toKafkaTopic('group')

t.before(async () => {
  const specs = topics.map(topic => ({ topic, partitions: 2, retentionMs: 3_600_000 }))
  await ensureTopics(client, specs, { create: true, replicationFactor: 1 })
  const producer = createProducer(client, settings, { log: silent })
  const records = Array.from({ length: 10 }, () => ({
    partition: 1,
    key: null,
    value: Buffer.alloc(100),
    headers: {},
    timestampMs: Date.now()
  }))
  await producer.append('a', records, { timeoutMs: 10_000 })
  await producer.close()
})

t.teardown(() => view.close())

t.test('views topics with ids, leaders and offsets; one that is not there is missing', async t => {
  const found = await view.topics(['a', 'nowhere'])

  t.strictSame([...found.keys()], ['a'])
  const seen = found.get('a')
  t.match(seen?.topicId, UUID)
  t.match(seen?.partitions, [
    { partition: 0, logStartOffset: 0n, logEndOffset: 0n },
    { partition: 1, logStartOffset: 0n, logEndOffset: 10n }
  ])
  const [first] = seen?.partitions ?? []
  t.strictSame(first?.inSyncReplicas, first?.replicas)
  t.ok(first?.replicas.includes(first.leader ?? -1))
})

t.test('tells the offsets of many topics asked for at once', async t => {
  const all = await Promise.all([...topics, ...topics, ...topics].map(topic => view.offsets(topic)))

  for (const offsets of all) t.strictSame([...offsets.keys()].sort(), [0, 1])
  t.strictSame(all[0]?.get(1), { logStartOffset: 0n, logEndOffset: 10n, stableEndOffset: 10n })
  t.equal((await view.offsets('nowhere')).size, 0)
})

t.test('sees where the log begins after records were deleted', async t => {
  const admin = client.admin()
  t.teardown(() => admin.disconnect())
  const topic = client.toKafkaTopic('a')
  await admin.fetchTopicOffsets(topic)

  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '4' }] })

  t.strictSame((await view.offsets('a')).get(1), { logStartOffset: 4n, logEndOffset: 10n, stableEndOffset: 10n })
})

t.test('finds the oldest record from a place on, and says where there is none and where it does not know', async t => {
  const leader = (await view.topics(['a'])).get('a')?.partitions[1]?.leader ?? null
  const place = { topic: 'a', partition: 1, leader, offset: 6n }

  const found = await view.oldest([
    place,
    { ...place, offset: 10n },
    { ...place, offset: 2n },
    { ...place, leader: null },
    { ...place, leader: 999 },
    { ...place, partition: 0, offset: 0n }
  ])

  t.match(found[0], { offset: 6n, timestampMs: Number })
  t.ok(Date.now() - (found[0]?.timestampMs ?? 0) < 120_000)
  t.strictSame(found.slice(1), [null, undefined, undefined, undefined, null])
})

t.test('tells another id for a topic that was made anew', async t => {
  const admin = client.admin()
  t.teardown(() => admin.disconnect())
  const before = (await view.topicIds(['b'])).get('b')

  await admin.deleteTopics({ topics: [client.toKafkaTopic('b')] })
  await until(async () => !(await view.topicIds(['b'])).has('b'))
  await ensureTopics(client, [{ topic: 'b', partitions: 2, retentionMs: 1_000 }], {
    create: true,
    replicationFactor: 1
  })
  const after = (await view.topicIds(['b'])).get('b')

  t.match(before, UUID)
  t.match(after, UUID)
  t.not(after, before)
})

t.test('tells no id where the broker is too old for it', async t => {
  const link = createLink(client)
  t.teardown(() => link.close())
  const topic = client.toKafkaTopic('a')

  const old = await link.call(() =>
    link.any(broker => broker.connectionPool.send(metadataRequest([topic], { maxVersion: 9 })))
  )

  t.equal(old.topics.get(topic)?.topicId, null)
  t.equal(old.topics.get(topic)?.partitions.length, 2)
})

t.test('views groups, their members and commits; one that is not there is missing', async t => {
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 100 })
  t.teardown(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic: client.toKafkaTopic('c') })
  await consumer.run({ autoCommit: false, eachMessage: async () => undefined })
  const find = async () => (await view.groups([groupId, `${groupId}-none`], () => 'c')).get(groupId)
  await until(async () => (await find())?.state === 'Stable')

  await consumer.commitOffsets([{ topic: client.toKafkaTopic('c'), partition: 1, offset: '7' }])

  t.match(await find(), { state: 'Stable', members: [{ clientId: 'smg-test', host: /^[\d.]+$/, partitions: [0, 1] }] })
  t.notOk((await view.groups([`${groupId}-none`], () => 'c')).has(`${groupId}-none`))
  t.strictSame(await view.committed(groupId, 'c'), new Map([[1, 7n]]))
  t.strictSame(await view.committed(`${groupId}-none`, 'c'), new Map())
  t.strictSame(await view.committed(groupId, 'nowhere'), new Map())
})

t.test('tells how full the disks are, and whose bytes they hold', async t => {
  const dirs = await view.logDirs()

  t.ok(dirs && dirs.totalBytes > dirs.usableBytes && dirs.usableBytes > 0n)
  t.ok((dirs?.topicBytes.get('a') ?? 0n) > 1_000n)
  t.strictSame([...(dirs?.topicBytes.keys() ?? [])].sort(), topics)
})

t.test('names the brokers that answer', async t => {
  t.ok((await view.brokers()).length > 0)
})

t.test('rejects in time when no broker is there', async t => {
  const away = createClusterView(createTestClient({ KAFKA_BROKERS: '127.0.0.1:1' }), { log: silent })
  t.teardown(() => away.close())
  const startMs = Date.now()

  await t.rejects(away.topics(['a']), { code: 'SMG_KAFKA_UNAVAILABLE' })
  t.ok(Date.now() - startMs < 20_000)
})

t.test('works again after its connections were closed', async t => {
  await view.close()

  t.equal((await view.topics(['a'])).size, 1)
})

t.test('finds the first record of a time or later, and none behind the last', async t => {
  const topic = 'c'
  const producer = createProducer(client, settings, { log: silent })
  const startMs = Date.now() - 60_000
  const stamped = [1_000, 2_000, 3_000].map(ms => {
    return { partition: 0, key: null, value: Buffer.from('x'), headers: {}, timestampMs: startMs + ms }
  })
  await producer.append(topic, stamped, { timeoutMs: 10_000 })
  await producer.close()

  t.strictSame(await view.offsetsAt(topic, 0), new Map([[0, 0n]]))
  t.strictSame(await view.offsetsAt(topic, startMs + 1_001), new Map([[0, 1n]]))
  t.strictSame(await view.offsetsAt(topic, startMs + 3_000), new Map([[0, 2n]]))
  t.strictSame(await view.offsetsAt(topic, startMs + 3_001), new Map())
})
