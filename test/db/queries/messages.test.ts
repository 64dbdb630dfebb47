import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import t from 'tap'
import { createDatabase } from '../../../db/client.ts'
import type { Place } from '../../../db/queries/list.ts'
import { createMessageQueries } from '../../../db/queries/messages.ts'
import { createTestDatabase } from '../../_support/database.ts'

const { databaseUrl, sql } = await createTestDatabase(t)
// As the gateway opens it: Drizzle's mark on the driver's parsers is part of what is tested.
const database = createDatabase(databaseUrl, { max: 2, applicationName: 'test' })
t.teardown(() => database.close())
const queries = createMessageQueries(database.sql)

interface Row {
  topic?: string
  id?: string
  partition?: number
  offset?: string
  key?: string | null
  value?: string
  headers?: string
  timestamp?: string
}

let nextOffset = 0

async function insert(database: Sql, row: Row = {}) {
  nextOffset += 1
  const { topic = 'greetings', id = randomUUID(), partition = 0, offset = String(nextOffset), key = null } = row
  const { value = '{"n":1}', headers = '{}', timestamp = '2026-01-31T12:00:00Z' } = row
  await database.unsafe(
    `INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
    VALUES ($1, $2::uuid, $3::int, $4::text::bigint, $5, $6::text::json, $7::text::json, $8::text::timestamptz)`,
    [topic, id, partition, offset, key, value, headers, timestamp]
  )
  return id
}

/** Reads pages until there is none, and gives what was on each. */
async function readAll(filters: Record<string, string | number>, limit: number, between = async () => {}) {
  const pages: { id: string; topic: string }[][] = []
  let after: Place | null = null
  do {
    const page = await queries.list(filters, { limit, after })
    pages.push(JSON.parse(page.items))
    after = page.next
    await between()
  } while (after)
  return pages
}

t.beforeEach(() => sql`TRUNCATE messages`)

t.test('gives a message as it was sent, its offset as a string', async t => {
  const value = '{"big":12345678901234567890,"zero":-0,"twice":1,"twice":2}'
  const id = await insert(sql, { key: 'k', value, offset: '9007199254740993', headers: '{"id":"x"}', partition: 2 })

  const text = (await queries.findById(id)) ?? ''

  t.match(text, value, 'not a byte of the value is changed')
  t.match(JSON.parse(text), {
    id,
    topic: 'greetings',
    partition: 2,
    offset: '9007199254740993',
    key: 'k',
    headers: { id: 'x' },
    timestamp: '2026-01-31T12:00:00.000Z',
    receivedAt: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$/
  })
})

t.test('finds a message in any topic, or in one', async t => {
  const id = await insert(sql, { topic: 'a', value: '1' })
  await insert(sql, { topic: 'b', id, value: '2' })
  await insert(sql, { topic: 'c' })

  t.match(JSON.parse((await queries.findById(id)) ?? ''), { topic: 'a' })
  t.match(JSON.parse((await queries.findById(id, { topic: 'b' })) ?? ''), { topic: 'b', value: 2 })
  t.equal(await queries.findById(id, { topic: 'c' }), undefined)
  t.equal(await queries.findById(randomUUID()), undefined)
})

t.test('lists newest first, and ends with no place', async t => {
  const old = await insert(sql, { timestamp: '2026-01-01T00:00:00Z' })
  const young = await insert(sql, { timestamp: '2026-01-02T00:00:00Z' })

  const { items, next } = await queries.list({}, { limit: 2, after: null })

  t.strictSame(
    JSON.parse(items).map(({ id }: { id: string }) => id),
    [young, old]
  )
  t.equal(next, null)
  t.strictSame(await queries.list({ topic: 'none' }, { limit: 2, after: null }), { items: '[]', next: null })
})

t.test('pages without gap and repeat through equal times, microseconds apart, and equal ids in two topics', async t => {
  const shared = randomUUID()
  for (const topic of ['a', 'b', 'c']) await insert(sql, { topic, id: shared })
  for (const micro of [1, 2, 3]) await insert(sql, { timestamp: `2026-01-31T12:00:00.00000${micro}Z` })
  for (let count = 0; count < 5; count += 1) await insert(sql)

  const pages = await readAll({}, 2)

  const seen = pages.flat().map(({ id, topic }) => `${topic} ${id}`)
  t.equal(seen.length, 11)
  t.equal(new Set(seen).size, 11)
  t.ok(pages.slice(0, -1).every(page => page.length === 2))
})

t.test('neither repeats nor skips a message while newer ones arrive', async t => {
  const ids = []
  for (let day = 10; day < 20; day += 1) ids.unshift(await insert(sql, { timestamp: `2026-01-${day}T00:00:00Z` }))

  const pages = await readAll({}, 3, async () => {
    await insert(sql, { timestamp: '2026-02-01T00:00:00Z' })
  })

  t.strictSame(
    pages.flat().map(({ id }) => id),
    ids
  )
})

const filters = [
  { when: 'topic', filter: { topic: 'a' }, found: ['1', '2'] },
  { when: 'key', filter: { key: 'k' }, found: ['2'] },
  { when: 'partition', filter: { partition: 1 }, found: ['1'] },
  { when: 'from, inclusive', filter: { from: '2026-01-02T00:00:00Z' }, found: ['2', '3'] },
  { when: 'to, exclusive', filter: { to: '2026-01-02T00:00:00.000001Z' }, found: ['1', '2'] },
  { when: 'all of them', filter: { topic: 'a', key: 'k', partition: 0, from: '2026-01-01T00:00:00Z' }, found: ['2'] }
]

for (const { when, filter, found } of filters) {
  t.test(`filters by ${when}`, async t => {
    await insert(sql, { topic: 'a', partition: 1, value: '1', timestamp: '2026-01-01T00:00:00Z' })
    await insert(sql, { topic: 'a', key: 'k', value: '2', timestamp: '2026-01-02T00:00:00Z' })
    await insert(sql, { topic: 'b', value: '3', timestamp: '2026-01-03T00:00:00Z' })

    const { items } = await queries.list(filter, { limit: 10, after: null })

    t.strictSame(
      JSON.parse(items)
        .map(({ value }: { value: number }) => String(value))
        .sort(),
      found
    )
  })
}

t.test('ends a page of large values early, and never without an item', async t => {
  const value = JSON.stringify('x'.repeat(5_000_000))
  for (let day = 10; day < 14; day += 1) await insert(sql, { value, timestamp: `2026-01-${day}T00:00:00Z` })

  const pages = await readAll({}, 500)

  t.strictSame(
    pages.map(page => page.length),
    [2, 2]
  )
})

t.test('has PostgreSQL hold back what a page of large values leaves out', async t => {
  const value = JSON.stringify('x'.repeat(5_000_000))
  for (let day = 10; day < 16; day += 1) await insert(sql, { value, timestamp: `2026-01-${day}T00:00:00Z` })
  const sent: number[] = []
  const counting = {
    async unsafe(...query: Parameters<Sql['unsafe']>) {
      const rows = await sql.unsafe(...query)
      sent.push(rows.length)
      return rows
    }
  } as unknown as Sql

  const { items, next } = await createMessageQueries(counting).list({}, { limit: 500, after: null })

  t.equal(JSON.parse(items).length, 2)
  t.ok(next)
  t.strictSame(sent, [3], 'one more, which tells that there are more')
})

t.test('takes a hostile filter for a text', async t => {
  await insert(sql)

  const page = await queries.list({ topic: "' OR 1=1 --", key: '$1' }, { limit: 10, after: null })

  t.equal(page.items, '[]')
})

const plans = [
  { when: 'all topics', filters: {}, after: null, plan: /Index Scan Backward using messages_timestamp/ },
  { when: 'one topic', filters: { topic: 'topic-7' }, after: null, plan: /using messages_topic_timestamp/ },
  { when: 'a later page', filters: {}, after: 'a place', plan: /Index Cond: \(ROW\("timestamp", id/ },
  { when: 'a later page of one topic', filters: { topic: 'topic-7' }, after: 'a place', plan: /Cond: .*"timestamp"/ }
]

for (const { when, filters, after, plan } of plans) {
  t.test(`reads ${when} through an index`, async t => {
    await sql`INSERT INTO messages SELECT 'topic-' || n % 20, gen_random_uuid(), 0, n, null, '1', '{}',
      '2026-01-01'::timestamptz + n * interval '1 ms', now() FROM generate_series(1, 20000) AS n`
    await sql`ANALYZE messages`
    const { lines, explaining } = explain()
    const place = after === null ? null : { time: '2026-01-01T00:00:10', id: randomUUID(), topic: 'greetings' }

    await createMessageQueries(explaining).list(filters, { limit: 50, after: place })

    t.match(lines.join('\n'), plan)
    t.notMatch(lines.join('\n'), /Seq Scan/)
  })
}

t.test('finds a message of any topic by the whole key', async t => {
  await sql`INSERT INTO messages SELECT 'topic-' || n % 20, gen_random_uuid(), 0, n, null, '1', '{}', now(), now()
    FROM generate_series(1, 20000) AS n`
  await sql`ANALYZE messages`
  const { lines, explaining } = explain()

  await createMessageQueries(explaining).findById(randomUUID())

  t.match(lines.join('\n'), /Index Cond: \(\(topic = found\.name\) AND \(id = /)
  t.notMatch(lines.join('\n'), /Seq Scan|Hash/)
})

t.test('plans the pages of every length once', async t => {
  await sql`INSERT INTO messages SELECT 'a', gen_random_uuid(), 0, n, null, '1', '{}',
    '2026-01-01'::timestamptz + n * interval '1 ms', now() FROM generate_series(1, 20000) AS n`
  await sql`ANALYZE messages`
  const { sql: one, close } = createDatabase(databaseUrl, { max: 1, applicationName: 'test' })
  t.teardown(() => close())
  const { list } = createMessageQueries(one)

  for (let turn = 0; turn < 10; turn += 1) await list({}, { limit: turn % 2 === 0 ? 50 : 500, after: null })

  const [plans] = await one`SELECT generic_plans::int AS kept, custom_plans::int AS made FROM pg_prepared_statements
    WHERE statement LIKE '%newest%' AND statement NOT LIKE '%custom_plans%'`
  t.strictSame({ ...plans }, { kept: 5, made: 5 }, 'PostgreSQL always makes five before it keeps one')
})

/** A client that asks for plans, and finds nothing. */
function explain() {
  const lines: string[] = []
  const unsafe = async (text: string, parameters: string[]) => {
    for (const row of await sql.unsafe(`EXPLAIN ${text}`, parameters)) lines.push(row['QUERY PLAN'])
    return []
  }
  return { lines, explaining: { unsafe } as unknown as Sql }
}
