import type { Admin } from 'kafkajs'
import t from 'tap'
import { loadKafkaJs } from '../../kafka/kafkajs.ts'
import { startProcesses } from '../_support/processes.ts'

const TOPIC = 'user-activities'
const processes = await startProcesses(t, { environment: { FUNCTIONS: TOPIC } })
const { sql, until, produce, ids, topicPrefix, kafkaBrokers } = processes
const { ConfigResourceTypes, Kafka, logLevel } = loadKafkaJs()
const kafka = new Kafka({ clientId: 'foreign', brokers: kafkaBrokers.split(','), logLevel: logLevel.NOTHING })
const kafkaTopic = `${topicPrefix}${TOPIC}`
const event = (userId: string) => ({ userId, action: 'login' })

interface ForeignRecord {
  key?: Buffer | string | null
  value: Buffer | string | null
  headers?: Record<string, Buffer | string>
  timestamp?: string
}

/** Sends records as another system would, all to partition 0. */
async function send(records: readonly ForeignRecord[]) {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const messages = records.map(record => ({ partition: 0, ...record }))
  await producer.send({ topic: kafkaTopic, messages })
  await producer.disconnect()
}

async function withAdmin(work: (admin: Admin) => Promise<unknown>) {
  const admin = kafka.admin()
  await admin.connect()
  await work(admin).finally(() => admin.disconnect())
}

/** Every position stands at the end of its log. */
async function settled() {
  await withAdmin(async admin => {
    const ends = await admin.fetchTopicOffsets(kafkaTopic)
    await until(
      async () => {
        const rows = await sql`SELECT partition, next_offset::text AS next FROM topic_status`
        return ends.every(({ partition, high }) => rows.some(row => row.partition === partition && row.next === high))
      },
      { what: 'all positions stand at the ends of their logs' }
    )
  })
}

t.test('an accepted event becomes a message and a row', async t => {
  const [id] = await produce(TOPIC, [{ ...event('ada'), metadata: { deep: [1, { text: '€' }] } }])
  await until(async () => (await ids('user_activities')).length === 1)

  const [message] = await sql`SELECT id::text AS id, topic, key, value::text AS value FROM messages`
  const [row] = await sql`SELECT id::text AS id, user_id, action, metadata::text AS metadata FROM user_activities`
  t.match(message, { id, topic: TOPIC, key: 'ada' })
  t.strictSame(JSON.parse(message?.value).metadata, { deep: [1, { text: '€' }] })
  t.match(row, { id, user_id: 'ada', action: 'login' })
  t.strictSame(JSON.parse(row?.metadata), { deep: [1, { text: '€' }] })
})

t.test('a record without headers is an event; what is none is one dead letter with its bytes', async t => {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const good = JSON.stringify(event('foreign'))
  const bad: (ForeignRecord & { stage: string })[] = [
    { value: everyByte, key: everyByte, stage: 'decode' },
    { value: '', stage: 'decode' },
    { value: null, key: 'tombstone', stage: 'decode' },
    { value: '{"userId":"a\\u0000b","action":"x"}', stage: 'decode' },
    { value: '{"userId":"a","action":"x","__proto__":{}}', stage: 'decode' },
    { value: '{"userId":7}', headers: { constructor: 'Object', h: everyByte }, stage: 'validate' },
    { value: '[]', stage: 'validate' }
  ]
  const before = (await ids('user_activities')).length
  // As older brokers have it: any time is taken, here one in microseconds.
  const configEntries = [{ name: 'message.timestamp.after.max.ms', value: '9223372036854775807' }]
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: kafkaTopic, configEntries }]
  await withAdmin(admin => admin.alterConfigs({ validateOnly: false, resources }))

  await send([
    { value: good },
    ...bad.flatMap(({ stage, ...record }) => [record, { value: good }]),
    { value: good, headers: { constructor: 'Object', toString: 'x', __proto: 'y' } },
    { value: good, headers: { id: 'order-7', 'producer-id': 'shop' } },
    { value: JSON.stringify({ ...event('late'), timestamp: '2024-05-01T10:00:00Z' }), timestamp: '1700000000000000' },
    { value: '{', timestamp: '1700000000000001' }
  ])
  await settled()

  t.equal((await ids('user_activities')).length, before + 1 + bad.length + 3, 'the neighbours are stored')
  const letters = await sql`
    SELECT key, value, headers::text AS headers, stage, attempts, state FROM dead_letters ORDER BY "offset"`
  t.equal(letters.length, bad.length + 1)
  for (const [index, { key = null, value, headers = {}, stage }] of bad.entries()) {
    const letter = letters[index]
    t.match(letter, { stage, attempts: 0, state: 'dead' })
    t.strictSame(letter?.value && Buffer.from(letter.value), value === null ? null : Buffer.from(value))
    t.strictSame(letter?.key && Buffer.from(letter.key), key === null ? null : Buffer.from(key))
    const expected = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text).toString('base64')])
    t.strictSame(JSON.parse(letter?.headers), expected)
  }
})

t.test('rule 11: copies of an event, in whatever batches, have one effect', async t => {
  const before = await ids('user_activities')
  const headers = { ce_source: '/shop', ce_id: 'copy', ce_time: '2024-05-01T10:00:00Z' }
  const value = JSON.stringify(event('copy'))

  await send([1, 2, 3].map(() => ({ value, headers })))
  await settled()
  await send([{ value, headers }])
  await settled()

  t.equal((await ids('user_activities')).length, before.length + 1)
})

t.test('rule 1: goes through transactions of a foreign producer, aborted ones too', async t => {
  const before = (await ids('user_activities')).length
  const producer = kafka.producer({ transactionalId: `${topicPrefix}tx`, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const end of ['commit', 'abort', 'commit', 'abort'] as const) {
    const transaction = await producer.transaction()
    const messages = [1, 2].map(n => ({ partition: 0, value: JSON.stringify(event(`${end}-${n}`)) }))
    await transaction.send({ topic: kafkaTopic, messages })
    await transaction[end]()
  }
  await producer.disconnect()
  await settled()

  t.equal((await ids('user_activities')).length, before + 4, 'and stands at the end, behind the last marker')
  t.equal((await sql`SELECT 1 FROM user_activities WHERE user_id LIKE 'abort%'`).length, 0)
})

t.test('rule 2: offsets of the group that were reset while it was stopped have no second effect', async t => {
  const before = await Promise.all(['messages', 'user_activities', 'dead_letters'].map(ids))
  await processes.kill('runner-0', 'SIGTERM')

  const group = { groupId: `${topicPrefix}${TOPIC}`, topic: kafkaTopic }
  await withAdmin(admin => admin.resetOffsets({ ...group, earliest: true }))
  await processes.startRunner('runner-0')
  const [id] = await produce(TOPIC, [event('after')])
  await until(async () => (await ids('messages')).includes(id ?? ''))

  const [messages = [], rows = [], letters = []] = before
  t.strictSame(await ids('messages'), [...messages, id].toSorted())
  t.strictSame(await ids('user_activities'), [...rows, id].toSorted())
  t.strictSame(await ids('dead_letters'), letters)
})

t.test('rule 3: positions set back to the start handle all again, without a second effect', async t => {
  const before = await Promise.all(['messages', 'user_activities', 'dead_letters'].map(ids))
  await settled()
  await sql`UPDATE topic_status SET next_offset = 0, duplicate_count = 0`
  // A position that someone else moved is noticed within 10 s, on idle partitions too.
  await until(
    async () => {
      const [row] = await sql`SELECT sum(duplicate_count)::int AS copies FROM topic_status`
      return row?.copies > 0
    },
    { timeoutMs: 20_000, what: 'records are handled again' }
  )
  await settled()

  t.strictSame(await Promise.all(['messages', 'user_activities', 'dead_letters'].map(ids)), before)
})

t.test('rule 2: a position that is missing begins at the start of the log', async t => {
  const before = await Promise.all(['messages', 'user_activities', 'dead_letters'].map(ids))
  await sql`DELETE FROM topic_status`
  await until(
    async () => {
      const [row] = await sql`SELECT sum(duplicate_count)::int AS copies FROM topic_status`
      return row?.copies > 0
    },
    { timeoutMs: 20_000, what: 'records are handled again' }
  )
  await settled()

  t.strictSame(await Promise.all(['messages', 'user_activities', 'dead_letters'].map(ids)), before)
})
