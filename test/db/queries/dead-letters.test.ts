import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createDatabase } from '../../../db/client.ts'
import { createDeadLetterQueries } from '../../../db/queries/dead-letters.ts'
import { createFunctionStateQueries } from '../../../db/queries/function-states.ts'
import { createEventId } from '../../../sdk/event-id.ts'
import { createTestDatabase } from '../../_support/database.ts'

const { databaseUrl, sql } = await createTestDatabase(t)
const database = createDatabase(databaseUrl, { max: 2, applicationName: 'test' })
t.teardown(() => database.close())
const queries = createDeadLetterQueries(database.sql)
const newest = { limit: 50, after: null }

interface Dead {
  topic?: string
  stage?: string
  state?: string
  disposition?: string
  errorName?: string
  value?: Buffer | null
  timestamp?: string
  createdAt?: string
}

async function insert(dead: Dead = {}) {
  const { topic = 'greetings', stage = 'validate', state = 'dead', disposition = 'validation_failed' } = dead
  const {
    errorName = 'Error',
    value = Buffer.from('{}'),
    timestamp = '2026-01-31T12:00:00Z',
    createdAt = timestamp
  } = dead
  const id = createEventId(Date.parse(createdAt))
  await sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp,
      stage, disposition, error_name, error_message, attempts, state, created_at)
    VALUES (${id}, 'smg.greetings', ${topic}, ${randomUUID()}, 1, '9007199254740993'::text::bigint, ${Buffer.from([0xff])},
      ${value}, '[["id","eA=="],["id",null]]', ${timestamp}::text::timestamptz, ${stage}, ${disposition}, ${errorName},
      'why', 3, ${state}, ${createdAt}::text::timestamptz)`
  return id
}

t.beforeEach(() => sql`TRUNCATE dead_letters`)

t.test('gives a dead letter byte for byte', async t => {
  const value = Buffer.alloc(300, 0xfe)
  const id = await insert({ value })

  const stored = await queries.findById(id)

  t.match(stored, {
    id,
    topic: 'greetings',
    group: 'smg.greetings',
    partition: 1,
    offset: '9007199254740993',
    keyBase64: '/w==',
    valueBase64: value.toString('base64'),
    headers: [
      ['id', 'eA=='],
      ['id', null]
    ],
    timestamp: '2026-01-31T12:00:00.000Z',
    error: { name: 'Error', message: 'why', stack: null },
    attempts: 3,
    resolvedAt: null
  })
  t.equal(await queries.findById(randomUUID()), undefined)
})

t.test('tells a null value from an empty one', async t => {
  const tombstone = await insert({ value: null })
  const empty = await insert({ value: Buffer.alloc(0) })

  t.equal((await queries.findById(tombstone))?.valueBase64, null)
  t.equal((await queries.findById(empty))?.valueBase64, '')
})

t.test('lists newest first by the time of the record, in pages', async t => {
  const old = await insert({ timestamp: '2026-01-01T00:00:00Z', createdAt: '2026-02-01T00:00:00Z' })
  const young = await insert({ timestamp: '2026-01-02T00:00:00Z' })

  const first = await queries.list({}, { limit: 1, after: null })
  const second = await queries.list({}, { limit: 1, after: first.next })

  t.strictSame([first.items[0]?.id, second.items[0]?.id], [young, old])
  t.equal(second.next, null)
})

const filters = [{ topic: 'a' }, { stage: 'handle' }, { state: 'resolved' }, { disposition: 'timed_out' }]
for (const filter of filters) {
  t.test(`filters by ${Object.keys(filter)[0]}`, async t => {
    await insert()
    const id = await insert(filter)

    const { items } = await queries.list(filter, newest)

    t.strictSame(
      items.map(item => item.id),
      [id]
    )
  })
}

t.test('filters by the name of the error, and by time', async t => {
  await insert()
  const id = await insert({ errorName: 'TypeError', timestamp: '2026-02-01T00:00:00Z' })

  for (const filter of [{ error: 'TypeError' }, { from: '2026-01-31T13:00:00Z' }]) {
    t.match((await queries.list(filter, newest)).items, [{ id }])
  }
})

t.test('groups what failed alike, most first, with the newest of each', async t => {
  await insert({ createdAt: '2026-01-01T00:00:00Z' })
  const newest = await insert({ createdAt: '2026-01-03T00:00:00Z', state: 'resolved' })
  await insert({ errorName: 'TypeError' })

  const { items, isComplete } = await queries.groups({}, 50)

  t.strictSame(items[0], {
    topic: 'greetings',
    group: 'smg.greetings',
    stage: 'validate',
    disposition: 'validation_failed',
    error: { name: 'Error', message: 'why' },
    count: 2,
    dead: 1,
    firstAt: '2026-01-01T00:00:00.000Z',
    lastAt: '2026-01-03T00:00:00.000Z',
    sampleId: newest
  })
  t.equal(items.length, 2)
  t.equal(isComplete, true)
  t.match(await queries.groups({}, 1), { items: [{ count: 2 }] })
})

t.test('groups those of a filter, and takes none else for the newest', async t => {
  const dead = await insert({ createdAt: '2026-01-01T00:00:00Z' })
  await insert({ createdAt: '2026-01-03T00:00:00Z', state: 'resolved', timestamp: '2026-02-01T00:00:00Z' })

  const groups = async (filter: object) => (await queries.groups({ ...filter }, 50)).items
  t.match(await groups({ state: 'dead' }), [{ count: 1, dead: 1, sampleId: dead, lastAt: '2026-01-01T00:00:00.000Z' }])
  t.match(await groups({ state: 'resolved', stage: 'validate' }), [{ count: 1, dead: 0 }])
  t.match(await groups({ to: '2026-02-01T00:00:00Z' }), [{ count: 1, sampleId: dead }])
  for (const filter of [{ topic: 'none' }, { stage: 'handle' }])
    t.strictSame(await queries.groups(filter, 50), { items: [], isComplete: true })
})

t.test('groups the newest of more than can be counted, and says so', { timeout: 60_000 }, async t => {
  await sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", headers, timestamp, stage,
      disposition, error_name, error_message, attempts)
    SELECT gen_random_uuid(), 'g', 'greetings', gen_random_uuid(), 0, n, '[]', '2026-01-01Z'::timestamptz + n * interval '1 s',
      'handle', 'timed_out', CASE WHEN n > 1 THEN 'Error' ELSE 'OldError' END, 'why', 3 FROM generate_series(1, 20002) AS n`

  const { items, isComplete } = await queries.groups({}, 50)
  const some = await queries.groups({ to: '2026-01-01T01:00:00Z' }, 50)

  t.match(items, [{ count: 20_001, error: { name: 'Error' } }])
  t.equal(items.length, 1)
  t.equal(isComplete, false)
  t.match(some, { items: [{ count: 3_598 }, { count: 1 }], isComplete: true }, 'unless it is narrowed')
})

t.test('gives the newest five errors of each topic', async t => {
  for (let day = 10; day < 17; day += 1) await insert({ topic: 'a', timestamp: `2026-01-${day}T00:00:00Z` })
  await insert({ topic: 'b' })

  const errors = await createFunctionStateQueries(database.sql).lastErrors(['a', 'b', 'none'])

  t.strictSame(
    errors.filter(({ topic }) => topic === 'a').map(({ at }) => at.slice(8, 10)),
    ['16', '15', '14', '13', '12']
  )
  t.match(
    errors.filter(({ topic }) => topic === 'b'),
    [{ name: 'Error', message: 'why', stage: 'validate' }]
  )
})

t.test('counts a page by the bytes that are stored, before it writes them out', async t => {
  const value = Buffer.alloc(1024 * 1024, 0xfe)
  for (let day = 10; day < 22; day += 1) await insert({ value, timestamp: `2026-01-${day}T00:00:00Z` })

  const { items, next } = await queries.list({}, { limit: 500, after: null })

  t.equal(items.length, 8)
  t.ok(next)
})
