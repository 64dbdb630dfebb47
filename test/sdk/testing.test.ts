import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { defineFunction, NonRetriableError, RetryAfterError, Type } from 'smg-kafka'
import { testFunction } from 'smg-kafka/testing'
import t from 'tap'

const visits = pgTable('visits', { id: uuid().primaryKey(), user: text().notNull(), count: integer() })
const event = Type.Object({ user: Type.String() })
const base64 = (value: string) => Buffer.from(value).toString('base64')

const rows = defineFunction({
  event,
  table: visits,
  handle: ({ event: { user } }, { publish }) => {
    if (user === 'nobody') return null
    const greeting = { user }
    publish('greetings', greeting)
    greeting.user = 'somebody else'
    return [{ user, count: 1 }, { user }]
  }
})

t.test('a function with a table gives its rows', async t => {
  t.strictSame(await testFunction(rows, { event: { user: 'Ada' } }), {
    ...{ outcome: 'settled', rows: [{ user: 'Ada', count: 1 }, { user: 'Ada' }], attempts: 1, waitsMs: [] },
    ...{ published: [{ topic: 'greetings', event: { user: 'Ada' } }], stage: null, disposition: null, error: null }
  })
  t.match(await testFunction(rows, { event: { user: 'nobody' } }), { outcome: 'settled', rows: [], published: [] })
})

t.test('a function without a table gets the transaction of the test', async t => {
  const tx = { insert: t.captureFn(() => ({ values: async (row: unknown) => row })) }
  const definition = defineFunction({
    event,
    handle: async ({ event: { user } }, context) => context.tx.insert(visits).values({ id: '', user })
  })

  t.match(await testFunction(definition, { event: { user: 'Ada' } }, { tx }), {
    outcome: 'settled',
    rows: [],
    attempts: 1
  })
  t.strictSame(tx.insert.args(), [[visits]])
})

t.test('a function without handle settles what is valid', async t => {
  const definition = defineFunction({ event })

  t.match(await testFunction(definition, { event: { user: 'Ada' } }), { outcome: 'settled', rows: [], attempts: 1 })
})

t.test('hands over what the test says of the record', async t => {
  const seen: unknown[] = []
  const definition = defineFunction({ event, handle: input => seen.push(input) })
  const given = { event: { user: 'Ada' }, key: 'k', headers: { a: 'b' }, timestamp: '2026-01-31T13:00:00+01:00' }

  await testFunction(definition, given, { topic: 'visits' })
  await testFunction(definition, { event: { user: 'Ada' } })

  t.match(seen, [
    {
      ...given,
      timestamp: '2026-01-31T12:00:00.000Z',
      topic: 'visits',
      partition: 0,
      offset: '0',
      id: /^[0-9a-f-]{36}$/
    },
    { key: null, headers: {}, topic: 'test' }
  ])
})

const deaths = [
  {
    when: 'its event breaks the schema',
    event: { user: 7 },
    stage: 'validate',
    disposition: 'validation_failed',
    attempts: 0,
    code: 'SMG_SDK_BAD_EVENT'
  },
  {
    when: 'its event has an unknown member',
    event: { user: 'a', x: 1 },
    stage: 'validate',
    disposition: 'validation_failed',
    attempts: 0,
    code: 'SMG_SDK_BAD_EVENT'
  },
  {
    when: 'its event cannot be stored',
    event: { user: '\u0000' },
    stage: 'decode',
    disposition: 'decode_failed',
    attempts: 0,
    code: 'SMG_SDK_BAD_JSON'
  },
  {
    when: 'its event is nothing',
    event: undefined,
    stage: 'decode',
    disposition: 'decode_failed',
    attempts: 0,
    code: 'SMG_SDK_BAD_JSON'
  }
]
for (const { when, event, code, ...dead } of deaths) {
  t.test(`a record is dead when ${when}`, async t => {
    t.match(await testFunction(rows, { event }), { outcome: 'dead', rows: [], published: [], error: { code }, ...dead })
  })
}

t.test('makes every attempt, and waits for none', async t => {
  const definition = defineFunction({
    event,
    maxAttempts: 4,
    backoffMs: { min: 60_000, max: 60_000 },
    handle: (_, { attempt }) => {
      if (attempt === 1) throw new RetryAfterError(86_400_000)
      if (attempt < 4) throw 'away'
    }
  })

  const { outcome, attempts, waitsMs } = await testFunction(definition, { event: { user: 'Ada' } })

  t.match({ outcome, attempts }, { outcome: 'settled', attempts: 4 })
  t.equal(waitsMs[0], 86_400_000)
  t.ok(waitsMs.slice(1).every(ms => ms >= 30_000 && ms <= 60_000))
  t.equal(waitsMs.length, 3)
})

const failures = [
  {
    when: 'its attempts are used up',
    handle: () => Promise.reject(undefined),
    disposition: 'attempts_exhausted',
    attempts: 3
  },
  {
    when: 'it is given up',
    handle: () => Promise.reject(new NonRetriableError('no')),
    disposition: 'non_retriable',
    attempts: 1
  },
  { when: 'no attempt ends in time', handle: () => new Promise(() => undefined), disposition: 'timed_out', attempts: 3 }
]
for (const { when, handle, disposition, attempts } of failures) {
  t.test(`a record is dead when ${when}`, async t => {
    const definition = defineFunction({ event, timeoutMs: 5, handle: handle as () => Promise<undefined> })

    const expected = { outcome: 'dead', stage: 'handle', disposition, attempts, rows: [], published: [] }
    t.match(await testFunction(definition, { event: { user: 'Ada' } }), expected)
  })
}

t.test('what is no row is dead, as it is in a runner', async t => {
  const definition = { event, table: visits, handle: () => 'no row' }

  t.match(await testFunction(definition, { event: { user: 'Ada' } }), {
    ...{ outcome: 'dead', stage: 'persist', disposition: 'non_retriable', rows: [], attempts: 1 },
    error: { code: 'SMG_SDK_BAD_ROW' }
  })
})

t.test('publishes to the topics that the test names', async t => {
  const given = { event: { user: 'Ada' } }

  t.match(await testFunction(rows, given, { publishTo: ['greetings'] }), { outcome: 'settled' })
  t.match(await testFunction(rows, given, { publishTo: ['other'] }), {
    ...{ outcome: 'dead', stage: 'handle', disposition: 'attempts_exhausted' },
    error: { code: 'SMG_SDK_BAD_PUBLISH' }
  })
})

t.test('runs an exported dead letter, byte for byte', async t => {
  const seen: unknown[] = []
  const definition = defineFunction({ event, handle: input => seen.push(input) })
  const record = {
    ...{ topic: 'visits', partition: 2, offset: '9007199254740993', timestamp: '2026-01-31T12:00:00.000Z' },
    ...{ keyBase64: '/w==', valueBase64: base64('{"user":"Ada"}') },
    headers: [
      ['a', base64('b')],
      ['a', null],
      ['id', base64('x')]
    ]
  }
  const failure = { eventId: '018bcfe5-687b-7000-8000-000000000000' }

  const result = await testFunction(definition, { record, failure })
  await testFunction(definition, { record: { valueBase64: record.valueBase64 } })

  t.match(result, { outcome: 'settled', attempts: 1 })
  t.match(seen, [
    {
      ...{ event: { user: 'Ada' }, id: failure.eventId, key: 'base64:/w==', headers: { a: ['b', ''], id: 'x' } },
      ...{ timestamp: record.timestamp, topic: 'visits', partition: 2, offset: '9007199254740993' }
    },
    { key: null, headers: {}, topic: 'test', id: /^[0-9a-f-]{36}$/ }
  ])
})

const remains = [
  { when: 'a null value', valueBase64: null, stage: 'decode' },
  { when: 'an empty value', valueBase64: '', stage: 'decode' },
  { when: 'bytes that are no text', valueBase64: '/w==', stage: 'decode' },
  { when: 'an event that is still wrong', valueBase64: base64('{"user":7}'), stage: 'validate' }
]
for (const { when, valueBase64, stage } of remains) {
  t.test(`an exported dead letter of ${when} is dead again`, async t => {
    t.match(await testFunction(rows, { record: { valueBase64 } }), { outcome: 'dead', stage, attempts: 0 })
  })
}

t.test('refuses what a start would refuse', async t => {
  await t.rejects(testFunction({ event, retries: 3 }, { event: {} }, { topic: 'visits' }), {
    code: 'SMG_SDK_BAD_FILE',
    message: /^visits\.ts: retries: is no option/
  })
})
