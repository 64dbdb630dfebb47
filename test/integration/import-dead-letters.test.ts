import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createWriter } from '../../db/writer.ts'
import { createLogReader } from '../../kafka/log-reader.ts'
import { createProducer } from '../../kafka/producer.ts'
import { ensureTopics } from '../../kafka/topics.ts'
import type { HeaderList } from '../../kafka/types.ts'
import { type ImportOptions, importDeadLetters } from '../../runner/dead-letters/import-dead-letters.ts'
import { idFromPlace } from '../../runner/identify.ts'
import { createTestDatabase } from '../_support/database.ts'
import { createTestClient, silent, testBrokers, until } from '../_support/kafka.ts'

const TIME_MS = Date.now() - 60_000
const ROOT = join(import.meta.dirname, '..', '..')
const settings = {
  PRODUCER_LANES: 1,
  PRODUCER_LINGER_MS: 0,
  PRODUCER_BATCH_BYTES: 524_288,
  PRODUCER_COMPRESSION: 'none'
} as const

const { databaseUrl, sql } = await createTestDatabase(t)
const client = createTestClient({ TOPIC_PREFIX: '' })
const producer = createProducer(client, settings, { log: silent })
const reader = createLogReader(client)
const writer = createWriter(databaseUrl, { applicationName: 'test' })
t.teardown(() => Promise.all([producer.close(), reader.close(), writer.close()]))
t.beforeEach(() => sql`TRUNCATE dead_letters, messages, audit`.then())

const LETTERS = { create: true, replicationFactor: 1 }

/** Makes a topic of its own, and writes records into it: headers and value each. */
async function fill(
  records: readonly { headers?: Record<string, string>; value: string | null; partition?: number }[]
) {
  const topic = `import-${randomUUID()}`
  await ensureTopics(client, [{ topic, partitions: 2, retentionMs: -1 }], LETTERS)
  const outgoing = records.map(({ headers = {}, value, partition = 0 }, index) => ({
    partition,
    key: Buffer.from(`k${index}`),
    value: value === null ? null : Buffer.from(value),
    headers,
    timestampMs: TIME_MS + index
  }))
  // One by one: of a send to two partitions of a new topic, one may be written twice.
  for (const partition of [0, 1])
    await producer.append(
      topic,
      outgoing.filter(record => record.partition === partition),
      { timeoutMs: 10_000 }
    )
  return topic
}

/** Like Kafka's share groups: no record, only where it is. */
async function fillPointers(topic: string, pointers: readonly [partition: number, offset: number][]) {
  const pointerTopic = `import-${randomUUID()}`
  await ensureTopics(client, [{ topic: pointerTopic, partitions: 1, retentionMs: -1 }], LETTERS)
  const records = pointers.map(([partition, offset]) => {
    const coordinates = { topic, partition: String(partition), offset: String(offset) }
    const headerList: HeaderList = Object.entries({ ...coordinates, 'delivery.count': '5', message: 'boom' }).map(
      ([name, text]) => [`__dlq.errors.${name}`, Buffer.from(text)]
    )
    return { partition: 0, key: null, value: null, headers: {}, headerList, timestampMs: TIME_MS }
  })
  await producer.append(pointerTopic, records, { timeoutMs: 10_000 })
  return pointerTopic
}

const target = { topic: 'orders', kafkaTopic: 'shop.orders', topicId: null }

function run(topic: string, options: Partial<ImportOptions> = {}) {
  return importDeadLetters(
    {
      topic,
      groupId: 'smg.orders',
      target,
      fromEnvelope: false,
      limit: Number.POSITIVE_INFINITY,
      isDry: false,
      operation: { id: randomUUID(), operator: 'cli:ada', requestId: null },
      stop: new AbortController().signal,
      onProgress: () => undefined,
      ...options
    },
    { reader, writer, nowMs: Date.now }
  )
}

async function rows() {
  return sql`SELECT event_id::text AS id, group_id, topic, partition, "offset"::int AS at, convert_from(key, 'UTF8') AS key,
    convert_from(value, 'UTF8') AS value, headers::text AS headers, stage, disposition, state, error_name, error_message,
    attempts, origin::text AS origin, extract(epoch FROM timestamp) * 1000 AS ms FROM dead_letters ORDER BY timestamp, key`
}

const spring = (offset: number, topic = 'shop.orders') => ({
  'kafka_dlt-original-topic': topic,
  'kafka_dlt-original-partition': '1',
  'kafka_dlt-original-offset': String(offset),
  'kafka_dlt-original-timestamp': String(TIME_MS - 1_000),
  'kafka_dlt-exception-fqcn': 'E',
  'kafka_dlt-exception-message': 'boom',
  tenant: 'a'
})

t.test('writes each as a row with its origin, once however often it is run', async t => {
  const topic = await fill([
    { headers: spring(41), value: '{"n":1}' },
    { headers: spring(7, 'elsewhere'), value: '{"n":2}', partition: 1 },
    { headers: { plain: 'x' }, value: '{"n":3}', partition: 1 }
  ])

  t.match(await run(topic, { isDry: true }), { total: 3, read: 3, imported: 3 })
  t.equal((await rows()).length, 0, 'a dry run writes nothing')
  const first = await run(topic)
  const second = await run(topic)

  t.match(first, {
    total: 3,
    read: 3,
    imported: 3,
    settled: 0,
    present: 0,
    dialects: { 'spring-kafka': 2, unknown: 1 }
  })
  t.match(second, { read: 3, imported: 0, present: 3 })
  const letters = await rows()
  t.equal(letters.length, 3)
  const here = letters.find(({ value }) => value === '{"n":1}')
  t.match(here, {
    group_id: 'smg.orders',
    topic: 'orders',
    partition: 1,
    at: 41,
    key: 'k0',
    stage: 'handle',
    disposition: 'imported',
    state: 'dead',
    error_name: 'E',
    error_message: 'boom',
    ms: String(TIME_MS - 1_000)
  })
  t.strictSame(JSON.parse(here?.headers), [['tenant', Buffer.from('a').toString('base64')]])
  t.match(JSON.parse(here?.origin), {
    dialect: 'spring-kafka',
    topic: 'shop.orders',
    partition: 1,
    offset: '41',
    from: { topic, partition: 0, offset: '0' }
  })
  // Elsewhere its first place means nothing to the function: where it lies now does.
  t.match(
    letters.find(({ value }) => value === '{"n":2}'),
    { partition: 1, at: 0 }
  )
  t.match(JSON.parse(letters.find(({ value }) => value === '{"n":3}')?.origin), { dialect: 'unknown', from: { topic } })
})

t.test('leaves out an event that is settled, by its own id and by its place', async t => {
  const own = '018bcfe5-6800-7000-8000-000000000000'
  const stated = { ...spring(1), id: own, 'producer-id': 'smg-kafka-producer' }
  const placed = idFromPlace(
    {
      offset: '2',
      timestampMs: TIME_MS - 1_000,
      key: Buffer.from('k1'),
      value: Buffer.from('{"n":2}'),
      headers: []
    },
    { topic: 'orders', topicId: null, partition: 1 }
  )
  for (const id of [own, placed])
    await sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
      VALUES ('orders', ${id}, 1, 1, '{}', '{}', now())`
  const topic = await fill([
    { headers: stated, value: '{"n":1}' },
    { headers: spring(2), value: '{"n":2}' },
    { headers: spring(3), value: '{"n":3}' }
  ])

  t.match(await run(topic), { read: 3, imported: 1, settled: 2 })
})

t.test('takes the limit, goes on where it was, and stops when it is told to', async t => {
  const topic = await fill(Array.from({ length: 10 }, (_, n) => ({ headers: spring(n), value: `{"n":${n}}` })))
  const over = new AbortController()
  over.abort()

  t.match(await run(topic, { limit: 4, isDry: true }), { imported: 4 })
  t.match(await run(topic, { limit: 4 }), { imported: 4, present: 0 })
  t.match(await run(topic, { stop: over.signal }), { read: 0, imported: 0 })
  t.match(await run(topic, { limit: 100 }), { imported: 6, present: 4 })
})

t.test('follows a pointer to its record, and keeps one whose source is gone', async t => {
  const source = await fill([
    { headers: { tenant: 'a' }, value: '{"n":1}' },
    { value: '{"n":2}', partition: 1 }
  ])
  const pointers = await fillPointers(source, [
    [0, 0],
    [1, 0],
    [0, 99],
    [7, 0]
  ])
  const nowhere = await fillPointers('there-is-no-such-topic', [[0, 0]])

  t.match(await run(pointers), { read: 4, imported: 4, lost: 2 })
  t.match(await run(pointers), { imported: 0, present: 4 })
  t.match(await run(nowhere), { imported: 1, lost: 1 })
  const letters = await rows()
  t.match(
    letters.filter(({ value }) => value !== null),
    [
      { value: '{"n":1}', key: 'k0', attempts: 5, error_message: 'boom', ms: String(TIME_MS) },
      { value: '{"n":2}', key: 'k1', ms: String(TIME_MS + 1) }
    ]
  )
  t.strictSame(JSON.parse(letters.find(({ value }) => value === '{"n":1}')?.headers)[0]?.[0], 'tenant')
  for (const lost of letters.filter(({ value }) => value === null))
    t.match(lost.error_message, /^Not retrievable: .*boom/)
})

t.test('a pointer that was followed adds nothing when its source is gone later', async t => {
  const source = await fill([{ value: '{"n":1}' }])
  const own = { target: { ...target, kafkaTopic: source } }
  const pointers = await fillPointers(source, [[0, 0]])
  t.match(await run(pointers, own), { imported: 1, lost: 0 })

  const admin = client.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [source] }).finally(() => admin.disconnect())
  await until(() =>
    reader.ranges(source).then(
      () => false,
      () => true
    )
  )

  t.match(await run(pointers, own), { imported: 0, present: 1 })
  await sql`TRUNCATE dead_letters`
  t.match(await run(pointers, own), { imported: 1, lost: 1 })
})

t.test('opens envelopes only when it is asked to', async t => {
  const envelope = {
    topic: 'shop.orders',
    partition: 1,
    offset: '5',
    key: 'k',
    value: Buffer.from('{"n":1}').toString('base64'),
    headers: {},
    errors: [{ message: 'boom' }],
    retries: 3
  }
  const topic = await fill([{ value: JSON.stringify(envelope) }, { value: '{"n":2}' }])

  t.match(await run(topic, { isDry: true }), { dialects: { unknown: 2 } })
  t.match(await run(topic, { fromEnvelope: true }), { imported: 2, dialects: { 'kafka-hooks': 1, unknown: 1 } })
  t.match((await rows())[0], { key: 'k', value: '{"n":1}', partition: 1, at: 5, error_message: 'boom', attempts: 3 })
})

t.test('is one action in the audit, with what its transactions imported, and none when it is dry', async t => {
  const topic = await fill(Array.from({ length: 3 }, (_, n) => ({ headers: spring(n), value: `{"n":${n}}` })))
  const audited = () => sql`SELECT action, topic, operator, details FROM audit`

  await run(topic, { isDry: true })
  t.equal((await audited()).length, 0)
  await run(topic)
  await run(topic)

  const details = { from: topic, imported: 3 }
  t.strictSame(
    (await audited()).map(row => ({ ...row })),
    [{ action: 'import', topic: 'orders', operator: 'cli:ada', details }]
  )
})

t.test('rejects for a topic that is not there', async t => {
  await t.rejects(run('there-is-no-such-topic'), { code: 'SMG_KAFKA_NO_TOPIC' })
})

t.test('npm run dead-letters imports, says what it did, and what is wrong', async t => {
  const topic = await fill([{ headers: spring(1), value: '{}' }])
  const env = { ...process.env, KAFKA_BROKERS: testBrokers(), DATABASE_URL: databaseUrl, TOPIC_PREFIX: 'shop.' }
  const command = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'runner/dead-letters/main.ts', ...args], {
      cwd: ROOT,
      env
    })

  const { stdout } = await command('import', '--topic', topic, '--function', 'user-activities')
  t.match(stdout, /1 of 1 records .* read/)
  t.match(stdout, /1 imported for user-activities: spring-kafka 1/)
  t.match(await rows(), [{ group_id: 'smg.user-activities', topic: 'user-activities' }])
  const details = { from: topic, imported: 1 }
  t.match(await sql`SELECT * FROM audit`, [
    { action: 'import', topic: 'user-activities', operator: /^cli:./, request_id: null, details }
  ])
  t.match((await command('--help')).stdout, /--dry-run/)
  await t.rejects(command('import', '--topic', topic, '--function', 'nothing'), { code: 2, stderr: /nothing/ })
  await t.rejects(command('import', '--topic', 'there-is-none', '--function', 'user-activities'), {
    code: 2,
    stderr: 'Kafka has no topic there-is-none\n'
  })
})
