import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createOutboxQueries, insertOutbox } from '../../db/queries/outbox.ts'
import { createWriter } from '../../db/writer.ts'
import type { AppendResult, OutgoingRecord } from '../../kafka/types.ts'
import { createOutboxEntries, createPublishCheck } from '../../runner/outbox-entries.ts'
import { createRelay } from '../../runner/relay.ts'
import { Type } from '../../sdk/index.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { defineTestFunction, identified, TIME_MS } from './_support/records.ts'

const { databaseUrl, sql } = await createTestDatabase(t)
const outbox = createOutboxQueries(sql)
const writer = createWriter(databaseUrl, { applicationName: 'test' })
t.teardown(() => writer.close())
const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const bills = defineTestFunction(
  {
    event: Type.Object({ n: Type.Number(), key: Type.Optional(Type.String()) }),
    key: (event: { key?: string }) => event.key ?? null
  },
  'bills'
)
const toEntries = createOutboxEntries(new Map([['bills', bills]]), () => 4)
t.beforeEach(() => sql`TRUNCATE outbox, outbox_leases`.then())

async function put(...texts: string[]) {
  const entries = texts.map(text => ({
    topic: 'bills',
    partition: Number(text.split('/')[0]),
    eventId: randomUUID(),
    key: null,
    value: Buffer.from(text).toString('base64'),
    headers: [['id', Buffer.from(text).toString('base64')]] as const,
    timestamp: new Date(TIME_MS).toISOString()
  }))
  await writer.transaction(tx => insertOutbox(tx, entries), limits)
}

/** A relay whose sends are noted; `answer` says what becomes of a batch. */
function startRelay(t: Teardown, answer: (texts: string[], call: number) => Promise<boolean[]> | boolean[] = all) {
  const sent: string[] = []
  const taken: string[] = []
  let calls = 0
  const relay = createRelay({
    outbox,
    producer: {
      async append(_topic, records: readonly OutgoingRecord[]): Promise<AppendResult[]> {
        const texts = records.map(({ value }) => String(value))
        sent.push(...texts)
        calls += 1
        const answers = await answer(texts, calls)
        return answers.map((isTaken, index) => {
          if (!isTaken) return { error: new Error('no') }
          taken.push(texts[index] ?? '')
          return { partition: records[index]?.partition ?? 0, offset: '0' }
        })
      }
    },
    log: silent
  })
  t.teardown(() => relay.stop())
  relay.start()
  return { relay, sent, taken, calls: () => calls }
}

const all = (texts: string[]) => texts.map(() => true)
const waiting = async () =>
  (await sql`SELECT convert_from(value, 'UTF8') AS text FROM outbox ORDER BY sequence`).map(row => row.text)

t.test('sends in order, and removes what Kafka has', async t => {
  await put('0/a', '0/b', '1/a', '0/c')
  const { sent } = startRelay(t)
  await until(async () => (await waiting()).length === 0)

  t.strictSame(
    sent.filter(text => text.startsWith('0')),
    ['0/a', '0/b', '0/c']
  )
  t.strictSame(sent.length, 4)
})

t.test('goes on by itself, and at once when it is woken', async t => {
  const { relay, sent } = startRelay(t)
  await put('0/a')
  relay.wake()
  await until(() => sent.length === 1)
  await put('0/b')
  await until(() => sent.length === 2)
  t.strictSame(sent, ['0/a', '0/b'])
})

t.test('never goes past what Kafka did not take', async t => {
  await put('0/a', '0/b', '0/c')
  const { sent, taken } = startRelay(t, (texts, call) => texts.map((_, index) => call > 1 || index !== 1))
  await until(async () => (await waiting()).length === 0)

  t.strictSame(sent, ['0/a', '0/b', '0/c', '0/b', '0/c'])
  t.strictSame(taken.indexOf('0/b') > taken.indexOf('0/a'), true)
})

t.test('a partition that Kafka refuses holds back no other', async t => {
  await put('0/a', '1/a', '1/b')
  const { sent } = startRelay(t, texts => texts.map(text => !text.startsWith('0')))
  await until(() => sent.includes('1/b'))
  await until(async () => (await waiting()).length === 1)

  t.strictSame(await waiting(), ['0/a'])
})

t.test('one relay at a time sends a partition, and the next takes over when the first stops', async t => {
  let open: () => void = () => undefined
  const door = new Promise<void>(resolve => {
    open = resolve
  })
  await put('0/a')
  const first = startRelay(t, async texts => {
    await door
    return all(texts)
  })
  await until(() => first.sent.length === 1)
  const second = startRelay(t)
  await put('0/b', '1/a')
  await until(() => second.sent.includes('1/a'))
  t.strictSame(second.sent, ['1/a'], 'partition 0 is leased')

  open()
  await first.relay.stop()
  await put('0/c')
  await until(async () => (await waiting()).length === 0)
  t.strictSame(
    [...first.taken, ...second.taken].filter(text => text.startsWith('0')),
    ['0/a', '0/b', '0/c']
  )
})

t.test('takes over a lease that ran out', async t => {
  await put('0/a')
  await sql`INSERT INTO outbox_leases VALUES ('bills', 0, ${randomUUID()}, now() + interval '300 ms')`
  const { sent } = startRelay(t)
  await until(() => sent.length === 1)
  const [row] = await sql`SELECT until > now() AS held FROM outbox_leases`
  t.equal(row?.held, true)
})

t.test('goes on after PostgreSQL was away', async t => {
  let failures = 2
  const away = { ...outbox, pending: () => (failures-- > 0 ? Promise.reject(new Error('away')) : outbox.pending()) }
  const sent: string[] = []
  const append = async (_: string, records: readonly OutgoingRecord[]) => {
    sent.push(...records.map(({ value }) => String(value)))
    return records.map(({ partition }) => ({ partition, offset: '0' }))
  }
  const relay = createRelay({ outbox: away, producer: { append }, log: silent })
  t.teardown(() => relay.stop())
  await put('0/a')
  relay.start()
  await until(() => sent.length === 1)
  t.strictSame(sent, ['0/a'])
})

t.test('makes the same entries of the same record, and another id of each', async t => {
  const published = [1, 2, 3].map(n => ({ topic: 'bills', event: { n, key: 'k' } }))

  const first = toEntries(identified(1), published, TIME_MS)
  const second = toEntries(identified(1), published, TIME_MS)

  t.strictSame(first, second)
  t.equal(new Set(first.map(({ eventId }) => eventId)).size, 3)
  t.equal(new Set(first.map(({ partition }) => partition)).size, 1, 'one key, one partition')
  t.equal(first[0]?.key, Buffer.from('k').toString('base64'))
  t.strictSame(
    first[0]?.headers.map(([name, value]) => [name, String(Buffer.from(value ?? '', 'base64'))]),
    [
      ['id', first[0]?.eventId],
      ['content-type', 'application/json'],
      ['producer-id', 'smg-kafka-producer']
    ]
  )
  t.not(toEntries(identified(2), published, TIME_MS)[0]?.eventId, first[0]?.eventId)
})

const published: { when: string; topic?: string; event: unknown; fault: RegExp | null }[] = [
  { when: 'it is an event of a function', event: { n: 1 }, fault: null },
  { when: 'there is no such function', topic: 'nowhere', event: { n: 1 }, fault: /no function.* bills/ },
  { when: 'it breaks the schema', event: { n: 'x' }, fault: /\/n/ },
  { when: 'it is nothing', event: undefined, fault: /./ },
  { when: 'it cannot be stored', event: { n: 1, key: 'a\u0000' }, fault: /u0000/ },
  { when: 'it is too large', event: { n: 1, key: 'x'.repeat(1024 * 1024) }, fault: /bytes/ }
]
for (const { when, topic = 'bills', event, fault } of published) {
  t.test(`checks what is published when ${when}`, async t => {
    const found = createPublishCheck(new Map([['bills', bills]]))(topic, event)

    if (fault === null) t.equal(found, null)
    else t.match(found, fault)
  })
}

t.test('a key that throws fails the attempt that publishes', async t => {
  const strict = defineTestFunction({
    event: Type.Object({ n: Type.Number() }),
    key: () => {
      throw new Error('no key')
    }
  })
  t.throws(() => createPublishCheck(new Map([['orders', strict]]))('orders', { n: 1 }), { message: 'no key' })
})
