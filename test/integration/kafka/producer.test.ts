import t from 'tap'
import { createProducer } from '../../../kafka/producer.ts'
import { ensureTopics } from '../../../kafka/topics.ts'
import type { AppendResult, OutgoingRecord } from '../../../kafka/types.ts'
import { createTestClient, silent, until } from '../../_support/kafka.ts'
import { readRecords } from '../../_support/kafka-records.ts'

const settings = {
  PRODUCER_LANES: 4,
  PRODUCER_LINGER_MS: 0,
  PRODUCER_BATCH_BYTES: 524_288,
  PRODUCER_COMPRESSION: 'none'
} as const
const LONG = { timeoutMs: 20_000 }
const TIMESTAMP_MS = 1_700_000_000_000
const client = createTestClient()
const producer = createProducer(client, settings, { log: silent })
const admin = client.admin()
const specs = ['orders', 'sizes', 'gone', 'kept', 'growing'].map(topic => ({
  topic,
  partitions: 3,
  retentionMs: 3_600_000
}))

function record(value: string | Buffer, rest: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { partition: 0, key: null, value: Buffer.from(value), headers: {}, timestampMs: TIMESTAMP_MS, ...rest }
}

function codes(results: readonly AppendResult[]) {
  return results.map(result => ('error' in result ? (result.error as Error & { code: string }).code : 'written'))
}

t.before(async () => {
  await ensureTopics(client, specs, { create: true, replicationFactor: 1 })
  await admin.connect()
})

t.teardown(async () => {
  await producer.close()
  await admin.disconnect()
})

t.test('writes every record once, at its offset, in the order of its partition', async t => {
  const appends = Array.from({ length: 500 }, (_, index) =>
    producer.append(
      'orders',
      [record(`${index}`, { partition: index % 3 }), record(`${index}b`, { partition: index % 3 })],
      LONG
    )
  )
  const results = await Promise.all(appends)
  const read = await readRecords(client, 'orders', 1_000)

  t.equal(read.length, 1_000)
  for (const partition of [0, 1, 2]) {
    const values = read.filter(each => each.partition === partition).map(({ value }) => String(value))
    const expected = Array.from({ length: 500 }, (_, index) => index).filter(index => index % 3 === partition)
    t.strictSame(
      values,
      expected.flatMap(index => [`${index}`, `${index}b`])
    )
  }
  const byPlace = new Map(read.map(({ partition, offset, value }) => [`${partition}/${offset}`, String(value)]))
  const found = results.flat().map(result => 'offset' in result && byPlace.get(`${result.partition}/${result.offset}`))
  t.strictSame(found, Array.from({ length: 500 }, (_, index) => [`${index}`, `${index}b`]).flat())
})

t.test('keeps key, value, headers and timestamp', async t => {
  const [client, topic] = [createTestClient(), 'whole']
  await ensureTopics(client, [{ topic, partitions: 1, retentionMs: -1 }], { create: true, replicationFactor: 1 })
  const producer = createProducer(client, settings, { log: silent })
  t.teardown(() => producer.close())
  const whole = { key: Buffer.from([0, 255]), headers: { id: 'ü', raw: Buffer.from([1, 0]) }, timestampMs: 0 }

  await producer.append(topic, [record('', whole), { ...record(''), value: null }, record('later')], LONG)

  t.match(await readRecords(client, topic, 3), [
    {
      key: whole.key,
      value: Buffer.alloc(0),
      headers: { id: Buffer.from('ü'), raw: whole.headers.raw },
      timestamp: '0'
    },
    { key: null, value: null, timestamp: String(TIMESTAMP_MS) },
    { offset: '2' }
  ])
})

t.test('fails a record that is too large, and none beside it', async t => {
  const records = Array.from({ length: 60 }, (_, index) => record(`${index}`))
  records[30] = record(Buffer.alloc(3 * 1024 * 1024))

  const [mixed, single] = await Promise.all([
    producer.append('sizes', records, LONG),
    producer.append('sizes', [record(Buffer.alloc(1_900_000), { partition: 1 })], LONG)
  ])

  t.strictSame(
    codes(mixed).filter(code => code !== 'written'),
    ['SMG_KAFKA_TOO_LARGE']
  )
  t.equal(codes(mixed)[30], 'SMG_KAFKA_TOO_LARGE')
  t.strictSame(codes(single), ['written'], 'what the topic takes is taken')
})

t.test('writes once what is sent together with a record that is refused', async t => {
  await ensureTopics(client, [{ topic: 'beside', partitions: 3, retentionMs: -1 }], {
    create: true,
    replicationFactor: 1
  })
  const records = [
    record(Buffer.alloc(3 * 1024 * 1024), { partition: 0 }),
    record('1', { partition: 1 }),
    record('2', { partition: 2 })
  ]

  const results = await producer.append('beside', records, LONG)

  t.strictSame(codes(results), ['SMG_KAFKA_TOO_LARGE', 'written', 'written'])
  const read = await readRecords(client, 'beside', 2)
  t.strictSame(read.map(({ value }) => String(value)).sort(), ['1', '2'])
})

t.test('goes on with other topics when one is deleted, and with that one when it is back', async t => {
  t.strictSame(codes(await producer.append('gone', [record('0')], LONG)), ['written'])
  await admin.deleteTopics({ topics: [client.toKafkaTopic('gone')] })

  const gone = producer.append('gone', [record('1')], LONG)
  const kept = await Promise.all(
    [0, 1, 2].map(partition => producer.append('kept', [record('1', { partition })], LONG))
  )

  t.strictSame(codes(await gone), ['SMG_KAFKA_NO_TOPIC'])
  t.strictSame(codes(kept.flat()), ['written', 'written', 'written'])

  await ensureTopics(client, specs, { create: true, replicationFactor: 1 })
  t.strictSame(codes(await producer.append('gone', [record('2')], LONG)), ['written'])
  t.strictSame(codes(await producer.append('kept', [record('2')], LONG)), ['written'])
  t.equal(producer.isHealthy(), true)
})

t.test('tells how many partitions a topic has', async t => {
  t.equal(await producer.partitionCount('growing'), 3)
  await t.rejects(async () => producer.partitionCount('nowhere'), { code: 'SMG_KAFKA_NO_TOPIC' })
})

t.test('writes to a partition that was added while it runs', async t => {
  await producer.append('growing', [record('0')], LONG)
  await admin.createPartitions({ topicPartitions: [{ topic: client.toKafkaTopic('growing'), count: 5 }] })

  // By itself KafkaJS would learn of it after 30 s, and resolve until then as if it were written.
  const results = await producer.append('growing', [record('1', { partition: 4 })], { timeoutMs: 5_000 })

  t.strictSame(codes(results), ['written'])
})

t.test('answers within the deadline when no broker is there', async t => {
  const away = createTestClient({ KAFKA_BROKERS: '127.0.0.1:1' })
  const producer = createProducer(away, settings, { log: silent })
  t.teardown(() => producer.close())
  const startMs = Date.now()

  t.strictSame(codes(await producer.append('orders', [record('0')], { timeoutMs: 1_500 })), ['SMG_KAFKA_TIMEOUT'])
  t.ok(Date.now() - startMs < 10_000)
  await until(() => !producer.isHealthy())
  await t.rejects(async () => producer.partitionCount('orders'), { code: 'SMG_KAFKA_UNAVAILABLE' })
})

t.test('writes a list of headers as it is: repeated names, null, empty, names of members of an object', async t => {
  const [client, topic] = [createTestClient(), 'listed']
  await ensureTopics(client, [{ topic, partitions: 1, retentionMs: -1 }], { create: true, replicationFactor: 1 })
  const producer = createProducer(client, settings, { log: silent })
  t.teardown(() => producer.close())
  const headerList = [
    ['b', Buffer.from([0, 255])],
    ['a', null],
    ['b', null],
    ['b', Buffer.alloc(0)],
    ['constructor', Buffer.from('x')],
    ['ü', Buffer.alloc(300, 7)]
  ] as const

  await producer.append(topic, [record('1', { headerList }), record('2', { headers: { id: '2' } })], LONG)
  const [first, second] = await readRecords(client, topic, 2)

  t.strictSame(first?.headers?.b, [Buffer.from([0, 255]), null, Buffer.alloc(0)])
  t.equal(first?.headers?.a, null)
  t.strictSame(first?.headers?.ü, Buffer.alloc(300, 7))
  t.match(second?.headers, { id: Buffer.from('2') })
})

t.test('a list of headers with a flaw fails its record, and none beside it', async t => {
  const headerList = [['a', 'text' as unknown as Buffer]] as const

  const results = await producer.append('orders', [record('1', { headerList }), record('2')], LONG)

  t.strictSame(codes(results), ['SMG_KAFKA_BAD_RECORD', 'written'])
})
