import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { MovedPartition } from '../../../db/queries/message-tail.ts'
import { openDatabase } from '../../gateway/_support/database-app.ts'

const { sql, queries } = await openDatabase(t)
const { after } = queries.messageTail
const since = async (...given: Parameters<typeof queries.messageTail.since>) =>
  (await queries.messageTail.since(...given)).rows
const EARLY = '2026-01-31T12:00:00.000Z'
const LATE = '2026-01-31T12:10:00.000Z'

t.beforeEach(() => sql`TRUNCATE messages`.then())

interface Given {
  topic?: string
  partition?: number
  key?: string | null
  /** Seconds after EARLY; default the offset. */
  second?: number
  value?: string
}

async function insert(
  offset: number,
  { topic = 'a', partition = 0, key = null, second = offset, value = '{}' }: Given = {}
) {
  const id = randomUUID()
  await sql`INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
    VALUES (${topic}, ${id}, ${partition}, ${offset}, ${key}, ${value}::text::json, '{}',
      ${EARLY}::text::timestamptz + ${second} * interval '1 second')`
  return id
}

function moved(low: number, high: number, given: Partial<MovedPartition> = {}): MovedPartition {
  return { topic: 'a', partition: 0, low: String(low), high: String(high), after: EARLY, until: LATE, ...given }
}

const offsets = (rows: readonly { offset: bigint }[]) => rows.map(({ offset }) => Number(offset))

t.test('gives what lies between two positions, in the order of the records', async t => {
  for (const offset of [4, 5, 6, 7]) await insert(offset)
  await insert(5, { partition: 1 })
  await insert(6, { topic: 'b' })

  const rows = await since([moved(5, 7)], null)

  t.strictSame(offsets(rows), [5, 6])
  const [first] = rows
  t.match(first, { topic: 'a', partition: 0, key: null, place: { time: '2026-01-31T12:00:05', topic: 'a' } })
  const item = JSON.parse(first?.item ?? '')
  t.match(item, {
    id: first?.place.id,
    topic: 'a',
    offset: '5',
    timestamp: '2026-01-31T12:00:05.000Z',
    receivedAt: /Z$/
  })
})

t.test('gives what moved in several topics at once', async t => {
  await insert(1)
  await insert(2, { topic: 'b', partition: 3 })

  const rows = await since([moved(0, 9), moved(0, 9, { topic: 'b', partition: 3 })], null)

  t.strictSame(
    rows.map(({ topic, partition }) => [topic, partition]),
    [
      ['a', 0],
      ['b', 3]
    ]
  )
})

t.test('finds what was stamped a little before the last, and not what was stamped long before', async t => {
  await insert(1, { second: -1 })
  await insert(2, { second: -60 })
  await insert(3, { second: 5 })

  t.strictSame(offsets(await since([moved(0, 9)], null)), [1, 3])
  t.strictSame(
    offsets(await since([moved(0, 9, { after: null, until: null })], null)),
    [2, 1, 3],
    'times are not known'
  )
})

t.test('gives those of some keys alone', async t => {
  for (const [offset, key] of ['k', 'other', null, 'l'].entries()) await insert(offset, { key })

  t.strictSame(offsets(await since([moved(0, 9)], ['k', 'l'])), [0, 3])
})

t.test('gives the newest 50 of a partition, and of another one no fewer for that', async t => {
  await sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
    SELECT 'a', gen_random_uuid(), 0, n, '{}', '{}', ${EARLY}::text::timestamptz + n * interval '1 ms'
    FROM generate_series(0, 999) AS n`
  await insert(0, { partition: 1, second: 0 })

  const rows = await since([moved(0, 1_000), moved(0, 9, { partition: 1 })], null)

  t.equal(rows.length, 51)
  t.strictSame(rows.filter(({ partition }) => partition === 0).map(({ offset }) => Number(offset))[0], 950)
})

t.test('gives the newest 50 of each key, and says of which topics it did not read all', async t => {
  await insert(0, { key: 'rare', second: 1 })
  await sql`INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
    SELECT 'a', gen_random_uuid(), 0, n, 'common', '{}', '{}', ${EARLY}::text::timestamptz + n * interval '1 ms' + interval '2 s'
    FROM generate_series(1, 4998) AS n`
  await insert(0, { topic: 'b', key: 'rare' })
  const both = [moved(0, 9_000), moved(0, 9, { topic: 'b' })]

  const whole = await queries.messageTail.since(both, ['rare', 'common'])
  t.equal(whole.rows.filter(({ key }) => key === 'rare').length, 2)
  t.equal(whole.rows.filter(({ key }) => key === 'common').length, 50)
  t.strictSame(
    whole.counts.toSorted((a, b) => a.count - b.count || a.topic.localeCompare(b.topic)),
    [
      { topic: 'a', partition: 0, key: 'rare', count: 1 },
      { topic: 'b', partition: 0, key: 'rare', count: 1 },
      { topic: 'a', partition: 0, key: 'common', count: 4_998 }
    ]
  )
  t.strictSame(whole.cut, [])

  await insert(4_999, { second: 10 })
  t.strictSame((await queries.messageTail.since(both, ['rare'])).cut, ['a'])
  t.strictSame(await queries.messageTail.since(both, ['none']), { rows: [], counts: [], cut: ['a'] })
  t.match(await queries.messageTail.since(both, null), { counts: [], cut: [] }, 'counters tell')
})

t.test('counts also what of a key is too large to be given', async t => {
  await insert(5, { key: 'k', value: JSON.stringify('x'.repeat(5 * 1024 * 1024)) })
  await insert(6, { key: 'k' })

  const { rows, counts } = await queries.messageTail.since([moved(5, 6), moved(6, 7, { topic: 'b' })], ['k'])

  t.strictSame(rows, [])
  t.strictSame(counts, [{ topic: 'a', partition: 0, key: 'k', count: 1 }])
})

t.test('reads a bounded part of what moved, however much it is', async t => {
  await sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
    SELECT 'a', gen_random_uuid(), 0, n, '{}', '{}', ${EARLY}::text::timestamptz + n * interval '1 ms'
    FROM generate_series(0, 9999) AS n`
  await insert(0, { partition: 1, second: 0 })

  const rows = await since([moved(0, 10_000), moved(0, 9, { partition: 1 })], null)

  t.strictSame(
    new Set(rows.map(({ partition }) => partition)),
    new Set([0]),
    'what is older than the newest 5000 is left out'
  )
})

t.test('leaves out what is too much for one look', async t => {
  const value = JSON.stringify('x'.repeat(1_000_000))
  for (let offset = 0; offset < 6; offset += 1) await insert(offset, { value })

  t.strictSame(offsets(await since([moved(0, 9)], null)), [2, 3, 4, 5])
})

t.test('gives what comes after a place, with how many that are', async t => {
  for (const [offset, key] of ['k', 'k', 'l', 'k'].entries()) await insert(offset, { key, partition: offset % 2 })
  await insert(9, { topic: 'b' })
  const [, first] = await since([moved(0, 9), moved(0, 9, { partition: 1 })], null)
  const place = first?.place ?? { time: '', id: '', topic: '' }

  const all = await after(place, {})
  t.strictSame(offsets(all.rows), [2, 3, 9])
  t.equal(all.total, 3)
  t.strictSame(offsets((await after(place, { topic: 'a' })).rows), [2, 3])
  t.strictSame(offsets((await after(place, { topic: 'a', key: 'k' })).rows), [3])
  t.strictSame(offsets((await after(place, { topic: 'a', partition: 0 })).rows), [2])
  t.strictSame(await after(place, { topic: 'none' }), { rows: [], total: 0 })
})

t.test('gives the newest 50 after a place, and counts no further than to 10,000', async t => {
  await sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
    SELECT 'a', gen_random_uuid(), 0, n, '{}', '{}', ${EARLY}::text::timestamptz + n * interval '1 ms'
    FROM generate_series(0, 10999) AS n`

  const { rows, total } = await after({ time: '2026-01-01T00:00:00', id: randomUUID(), topic: 'a' }, {})

  t.strictSame([rows.length, Number(rows.at(-1)?.offset), total], [50, 10_999, 10_000])
})

t.test('looks for what is rare in the newest 50,000 after a place, and says when there are more', async t => {
  const place = { time: '2026-01-01T00:00:00', id: randomUUID(), topic: 'a' }
  await insert(0, { key: 'rare', partition: 1, second: -1 })
  await sql`INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
    SELECT 'a', gen_random_uuid(), 0, n, 'common', '{}', '{}', ${EARLY}::text::timestamptz + n * interval '1 ms'
    FROM generate_series(1, 49999) AS n`
  await insert(0, { topic: 'b', key: 'rare', second: 60 })

  t.strictSame(await after(place, { topic: 'a', key: 'none' }), { rows: [], total: null })
  t.strictSame(await after(place, { topic: 'b', key: 'none' }), { rows: [], total: 0 })
  const { rows, total } = await after(place, { key: 'rare' })
  t.strictSame(
    rows.map(({ topic }) => topic),
    ['b'],
    'the other one is too old'
  )
  t.equal(total, null)
  t.strictSame(await after(place, { partition: 1 }), { rows: [], total: null })

  await sql`DELETE FROM messages WHERE topic = 'a' AND "offset" IN (1, 2)`
  t.match(await after(place, { key: 'rare' }), { rows: { length: 2 }, total: 2 })
})
