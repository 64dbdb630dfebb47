import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Backlog, createOutboxQueries, insertOutbox } from '../../db/queries/outbox.ts'
import { createWriter } from '../../db/writer.ts'
import { kafkaErrors } from '../../kafka/errors.ts'
import { toKafkaError } from '../../kafka/failure.ts'
import type { AppendResult, OutgoingRecord } from '../../kafka/types.ts'
import { createOutboxEntries, createPublisher } from '../../runner/outbox-entries.ts'
import { createRelay } from '../../runner/relay.ts'
import { Type } from '../../sdk/index.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { setClock } from '../_support/set-clock.ts'
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
const toPublished = createPublisher(new Map([['bills', bills]]))
const toEntries = createOutboxEntries(() => 4)
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

type Answer = boolean | Error

/** A relay whose sends are noted; `answer` says what becomes of a batch. */
function startRelay(
  t: Teardown,
  answer: (texts: string[], call: number) => Promise<Answer[]> | Answer[] = all,
  { partitionCount = async () => 8 }: { partitionCount?: (topic: string) => Promise<number> } = {}
) {
  const sent: string[] = []
  const taken: string[] = []
  const backlogs: Backlog[] = []
  let calls = 0
  const relay = createRelay({
    outbox,
    onBacklog: backlog => void backlogs.push(backlog),
    producer: {
      partitionCount,
      async append(_topic, records: readonly OutgoingRecord[]): Promise<AppendResult[]> {
        const texts = records.map(({ value }) => String(value))
        sent.push(...texts)
        calls += 1
        const answers = await answer(texts, calls)
        return answers.map((isTaken, index) => {
          if (isTaken instanceof Error) return { error: isTaken }
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
  return { relay, sent, taken, backlogs, calls: () => calls }
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

t.test('rule 23: never goes past what Kafka did not take', async t => {
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

t.test('sends again after its back-off, although the clock is set back meanwhile', async t => {
  const moveClock = setClock(t)
  await put('0/a')
  const { taken, calls } = startRelay(t, (texts, call) => texts.map(() => call > 1))
  await until(() => calls() === 1)
  await sleep(50)
  moveClock(-3_600_000)

  await until(() => taken.includes('0/a'), 5_000)
})

t.test('rule 23: one relay at a time sends a partition, and the next takes over when the first stops', async t => {
  let open: () => void = () => undefined
  const door = new Promise<void>(resolve => {
    open = resolve
  })
  await put('0/a')
  const first = startRelay(t, async texts => {
    if (texts[0]?.startsWith('0')) await door
    return all(texts)
  })
  await until(() => first.sent.length === 1)
  const second = startRelay(t)
  await put('0/b', '1/a')
  await until(() => [...first.taken, ...second.taken].includes('1/a'))
  t.notOk(
    second.sent.some(text => text.startsWith('0')),
    'partition 0 is leased'
  )

  open()
  await first.relay.stop()
  await put('0/c')
  await until(async () => (await waiting()).length === 0)
  t.strictSame(
    [...first.taken, ...second.taken].filter(text => text.startsWith('0')),
    ['0/a', '0/b', '0/c']
  )
})

t.test('rule 23: takes over a lease that ran out', async t => {
  await put('0/a')
  await sql`INSERT INTO outbox_leases VALUES ('bills', 0, ${randomUUID()}, now() + interval '300 ms')`
  const { sent } = startRelay(t)
  await until(() => sent.length === 1)
  const [row] = await sql`SELECT until > now() AS held FROM outbox_leases`
  t.equal(row?.held, true)
})

t.test('rule 23: takes over a lease that was given while the clock of the database was ahead', async t => {
  await put('0/a')
  await sql`INSERT INTO outbox_leases VALUES ('bills', 0, ${randomUUID()}, now() + interval '1 h')`
  const { sent } = startRelay(t)
  await until(() => sent.length === 1)
  const [row] = await sql`SELECT until < now() + interval '1 min' AS "isShort" FROM outbox_leases`
  t.equal(row?.isShort, true)
})

t.test('rule 23: a relay that froze past its lease only repeats, and first copies stay in order', async t => {
  let open: () => void = () => undefined
  const door = new Promise<void>(resolve => {
    open = resolve
  })
  await put('0/a', '0/b')
  const frozen = startRelay(t, async texts => {
    await door
    return all(texts)
  })
  await until(() => frozen.sent.length === 2)
  await sql`UPDATE outbox_leases SET until = now() - interval '1 s'`
  const other = startRelay(t)
  await until(() => other.taken.length === 2)
  await put('0/c')
  await until(() => other.taken.length === 3)
  open()
  await until(() => frozen.taken.length === 2)
  await put('0/d')
  await until(async () => (await waiting()).length === 0)

  t.strictSame(other.taken, ['0/a', '0/b', '0/c', '0/d'])
  t.strictSame(frozen.taken, ['0/a', '0/b'], 'what it had in hand, and no more')
})

const refusals = [
  { when: 'it is too large', error: new kafkaErrors.SMG_KAFKA_TOO_LARGE('bills'), isFinal: true },
  { when: 'it is no record', error: new kafkaErrors.SMG_KAFKA_BAD_RECORD('its key is no Buffer'), isFinal: true },
  {
    when: 'the broker finds it invalid',
    error: toKafkaError(Object.assign(new Error('no'), { type: 'INVALID_TIMESTAMP' })),
    isFinal: true
  },
  { when: 'the topic is missing', error: new kafkaErrors.SMG_KAFKA_NO_TOPIC('bills'), isFinal: false },
  {
    when: 'a permission is missing',
    error: toKafkaError(Object.assign(new Error('no'), { type: 'TOPIC_AUTHORIZATION_FAILED' })),
    isFinal: false
  },
  { when: 'Kafka is away', error: new kafkaErrors.SMG_KAFKA_TIMEOUT(1), isFinal: false }
]
for (const { when, error, isFinal } of refusals) {
  t.test(`rule 23: an event ${isFinal ? 'is set aside' : 'waits'} when ${when}`, async t => {
    await put('0/a', '0/b', '0/c', '1/d')
    const { taken } = startRelay(t, texts => texts.map(text => (text === '0/b' ? error : true)))
    await until(() => taken.includes('1/d') && taken.includes('0/a'))
    if (isFinal) await until(async () => (await outbox.pending()).length === 0)
    else await until(() => taken.filter(text => text === '0/c').length > 1)

    const rows =
      await sql`SELECT convert_from(value, 'UTF8') AS text, refused_at, refusal FROM outbox ORDER BY sequence`
    t.strictSame(
      rows.map(({ text }) => text),
      isFinal ? ['0/b'] : ['0/b', '0/c'],
      'what follows goes on only behind what is aside'
    )
    t.equal(rows[0]?.refused_at !== null, isFinal)
    if (isFinal) t.match(rows[0]?.refusal, error.message)
    t.match(await outbox.backlog(), isFinal ? { waiting: 0, refused: 1 } : { waiting: 2, refused: 0 })
  })
}

t.test('rule 23: a topic that does not answer holds back no other', async t => {
  await put('0/a', '1/b')
  const never = new Promise<boolean[]>(() => undefined)
  let isStuck = false
  const relay = startRelay(t, async texts => {
    if (!texts[0]?.startsWith('0')) return all(texts)
    isStuck = true
    return Promise.race([never, new Promise<boolean[]>(resolve => setTimeout(resolve, 3_000, [false]))])
  })
  await until(() => isStuck)
  for (const text of ['1/c', '1/d']) {
    await put(text)
    await until(() => relay.taken.includes(text), 2_500)
  }
  t.strictSame(relay.taken, ['1/b', '1/c', '1/d'])
})

t.test('sends to a partition that is there when the topic has fewer, and tells what waits', async t => {
  await put('5/a')
  const partitions: number[] = []
  const relay = createRelay({
    outbox,
    log: silent,
    producer: {
      partitionCount: async () => 3,
      append: async (_, records) => {
        partitions.push(...records.map(({ partition }) => partition))
        return records.map(({ partition }) => ({ partition, offset: '0' }))
      }
    }
  })
  t.teardown(() => relay.stop())
  t.match(await outbox.backlog(), { waiting: 1, refused: 0 })
  relay.start()
  await until(async () => (await waiting()).length === 0)

  t.strictSame(partitions, [2])
  const { backlogs } = startRelay(t)
  await until(() => backlogs.length > 0)
  t.strictSame(backlogs[0], { waiting: 0, oldestSeconds: 0, refused: 0 })
})

t.test('reads no more than its bytes at once, and one event at least', async t => {
  await put(`0/${'a'.repeat(600)}`, `0/${'b'.repeat(600)}`, `0/${'c'.repeat(600)}`)
  const lengths = async (maxBytes: number) => (await outbox.read('bills', 0, { limit: 10, maxBytes })).length

  t.strictSame([await lengths(10), await lengths(3_500), await lengths(10_000)], [1, 2, 3])
})

t.test('goes on after PostgreSQL was away', async t => {
  let failures = 2
  const away = { ...outbox, pending: () => (failures-- > 0 ? Promise.reject(new Error('away')) : outbox.pending()) }
  const sent: string[] = []
  const append = async (_: string, records: readonly OutgoingRecord[]) => {
    sent.push(...records.map(({ value }) => String(value)))
    return records.map(({ partition }) => ({ partition, offset: '0' }))
  }
  const relay = createRelay({ outbox: away, producer: { append, partitionCount: async () => 1 }, log: silent })
  t.teardown(() => relay.stop())
  await put('0/a')
  relay.start()
  await until(() => sent.length === 1)
  t.strictSame(sent, ['0/a'])
})

t.test('makes the same entries of the same record, and another id of each', async t => {
  const published = [1, 2, 3].map(n => toPublished('bills', { n, key: 'k' }))

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

t.test('hands the trace of a record on to what is published about it', async t => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const passed = (text: string) => {
    const record = identified(1, { n: 1 }, { headers: [['traceparent', Buffer.from(text)]] })
    const [entry] = toEntries(record, [toPublished('bills', { n: 1 })], TIME_MS)
    const found = entry?.headers.find(([name]) => name === 'traceparent')
    return found && String(Buffer.from(found[1] ?? '', 'base64'))
  }

  t.equal(passed(traceparent), traceparent)
  t.equal(passed('x'), undefined)
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
    const publish = () => toPublished(topic, event)

    if (fault === null) t.match(publish(), { topic, key: null, value: Buffer.from(JSON.stringify(event)) })
    else t.throws(publish, { code: 'SMG_SDK_BAD_PUBLISH', message: fault })
  })
}

t.test('publishes what an event was when it was published', async t => {
  const event = { n: 1, key: 'a' }
  const published = [toPublished('bills', event)]
  Object.assign(event, { n: 2, key: 'b' })
  published.push(toPublished('bills', event))
  Object.assign(event, { n: 3n, key: 4 })

  const entries = toEntries(identified(1), published, TIME_MS)

  const text = (base64: string | null) => String(Buffer.from(base64 ?? '', 'base64'))
  t.strictSame(
    entries.map(({ key, value }) => [text(key), text(value)]),
    [
      ['a', '{"n":1,"key":"a"}'],
      ['b', '{"n":2,"key":"b"}']
    ]
  )
})

t.test('a key that throws fails the attempt that publishes', async t => {
  const strict = defineTestFunction({
    event: Type.Object({ n: Type.Number() }),
    key: () => {
      throw new Error('no key')
    }
  })
  t.throws(() => createPublisher(new Map([['orders', strict]]))('orders', { n: 1 }), { message: 'no key' })
})
