import t from 'tap'
import { createProducer } from '../../kafka/producer.ts'
import { ensureTopics } from '../../kafka/topics.ts'
import type { HeaderList } from '../../kafka/types.ts'
import { createTestClient, silent } from '../_support/kafka.ts'
import { type ReadRecord, readRecords } from '../_support/kafka-records.ts'
import { startProcesses, type TestProcesses } from '../_support/processes.ts'

const TOPIC = 'user-activities'
const TIME_MS = Math.floor(Date.now() / 1_000) * 1_000 - 60_000
const settings = {
  PRODUCER_LANES: 1,
  PRODUCER_LINGER_MS: 0,
  PRODUCER_BATCH_BYTES: 524_288,
  PRODUCER_COMPRESSION: 'none'
} as const
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

interface Sent {
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headerList: HeaderList
  readonly timestampMs: number
}

function bad(value: Buffer | null, rest: Partial<Sent> = {}): Sent {
  return { partition: 0, key: null, value, headerList: [], timestampMs: TIME_MS, ...rest }
}

async function send(client: ReturnType<typeof createTestClient>, records: readonly Sent[]) {
  const producer = createProducer(client, settings, { log: silent })
  const outgoing = records.map(record => ({ ...record, headers: {} }))
  const results = await producer.append(TOPIC, outgoing, { timeoutMs: 10_000 })
  await producer.close()
  const failed = results.find(result => 'error' in result)
  if (failed && 'error' in failed) throw failed.error
}

function mirrorOf({ groupPrefix }: TestProcesses): string {
  return `dlq.${groupPrefix}${TOPIC}.${TOPIC}`
}

/** The record's own headers, and those that were put behind them. */
function partHeaders({ headers = {} }: ReadRecord) {
  const entries = Object.entries(headers)
  const isAdded = ([name]: [string, unknown]) => name.startsWith('__dlq.errors.')
  const added = entries.filter(isAdded).map(([name, value]) => [name.slice('__dlq.errors.'.length), String(value)])
  return { own: Object.fromEntries(entries.filter(entry => !isAdded(entry))), added: Object.fromEntries(added) }
}

t.test('a dead letter is byte-equal in its row, over HTTP and in its topic', async t => {
  const processes = await startProcesses(t, { environment: { FUNCTIONS: TOPIC } })
  const { sql, until, topicPrefix, gatewayUrl } = processes
  const client = createTestClient({ TOPIC_PREFIX: topicPrefix })
  const sent = [
    bad(everyByte, { key: everyByte, partition: 2 }),
    bad(Buffer.alloc(0), { key: Buffer.alloc(0) }),
    bad(null, { key: Buffer.from('tombstone') }),
    bad(Buffer.alloc(900_000, 0xff), { partition: 1 }),
    bad(Buffer.from('{"userId":7}'), {
      headerList: [
        ['b', everyByte],
        ['a', null],
        ['b', null],
        ['b', Buffer.alloc(0)]
      ]
    })
  ]

  await send(client, sent)
  const copies = await readRecords(client, mirrorOf(processes), sent.length)
  await until(async () => (await sql`SELECT FROM outbox`).length === 0)

  const rows =
    await sql`SELECT id::text, event_id::text, partition, "offset"::text, key, value, headers::text AS headers,
    extract(epoch FROM timestamp) * 1000 AS at, error_message FROM dead_letters`
  t.equal(rows.length, sent.length)
  for (const record of sent) {
    const isIt = ({ partition, value }: { partition: number; value: Buffer | null }) =>
      partition === record.partition &&
      (value && Buffer.from(value).toString('hex')) === (record.value?.toString('hex') ?? null)
    const row = rows.find(each => isIt(each as never))
    const copy = copies.find(isIt)
    const response = await fetch(`${gatewayUrl}/api/dead-letters/${row?.id}`)
    const { valueBase64 } = (await response.json()) as { valueBase64: string | null }

    t.strictSame(row?.key && Buffer.from(row.key), record.key)
    t.strictSame(copy?.key, record.key)
    t.equal(valueBase64, record.value?.toString('base64') ?? null)
    t.equal(Number(row?.at), record.timestampMs)
    t.equal(copy?.timestamp, String(record.timestampMs))
    t.strictSame(
      new Map(JSON.parse(row?.headers).map(([name]: [string]) => [name, true])).size,
      new Set(record.headerList.map(([name]) => name)).size
    )
    const { own, added } = partHeaders(copy as ReadRecord)
    t.strictSame(own, record.headerList.length > 0 ? { a: null, b: [everyByte, null, Buffer.alloc(0)] } : {})
    t.match(added, {
      topic: `${topicPrefix}${TOPIC}`,
      partition: String(record.partition),
      offset: row?.offset,
      id: row?.event_id,
      message: row?.error_message.slice(0, 1_024),
      'delivery.count': '0',
      function: TOPIC
    })
  }
  const [listed] = rows.filter(row => JSON.parse(row.headers).length > 0)
  t.strictSame(
    JSON.parse(listed?.headers).filter(([name]: [string]) => name === 'b'),
    [
      ['b', everyByte.toString('base64')],
      ['b', null],
      ['b', '']
    ]
  )
})

t.test('a topic of dead letters that is missing stops nothing: rows stay, the outbox waits', async t => {
  const processes = await startProcesses(t, {
    gateways: 0,
    runners: 0,
    environment: { FUNCTIONS: TOPIC, TOPIC_CREATE: 'false' }
  })
  const { sql, until, topicPrefix, output } = processes
  const client = createTestClient({ TOPIC_PREFIX: topicPrefix })
  const options = { create: true, replicationFactor: 1 }
  await ensureTopics(client, [{ topic: TOPIC, partitions: 3, retentionMs: 3_600_000 }], options)

  await processes.startRunner('runner-0')
  await send(client, [bad(Buffer.from('{')), bad(Buffer.from('['), { partition: 2 })])
  await until(async () => (await sql`SELECT FROM dead_letters`).length === 2)
  await until(() => /topics of dead letters are missing/.test(output('runner-0')))
  await until(() => /does not take the outbox/.test(output('runner-0')))

  t.strictSame((await sql`SELECT FROM outbox WHERE refused_at IS NULL`).length, 2, 'and wait')
  const good = Buffer.from(JSON.stringify({ userId: 'a', action: 'b' }))
  await send(client, [bad(good)])
  await until(async () => (await sql`SELECT FROM user_activities`).length === 1)

  // With fewer partitions than its source.
  const mirror = mirrorOf(processes)
  await ensureTopics(client, [{ topic: mirror, partitions: 2, retentionMs: 3_600_000 }], options)
  const copies = await readRecords(client, mirror, 2)
  await until(async () => (await sql`SELECT FROM outbox`).length === 0)
  t.strictSame(copies.map(({ value }) => String(value)).toSorted(), ['[', '{'])
})
