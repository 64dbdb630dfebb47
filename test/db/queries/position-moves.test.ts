import { randomUUID } from 'node:crypto'
import t from 'tap'
import { insertDead, openDatabase } from '../../gateway/_support/database-app.ts'

const { sql, queries, writes } = await openDatabase(t)
const TOPIC_ID = '0b6ff7b0-0000-4000-8000-000000000001'
const topic = 'user-activities'
const groupId = `smg.${topic}`
const operation = { id: randomUUID(), operator: 'ada', requestId: 'r1' }

t.beforeEach(() => sql`TRUNCATE topic_status, audit, messages, dead_letters`.then())

function move(to: Record<number, bigint>, topicId: string | null = TOPIC_ID) {
  const targets = new Map(Object.entries(to).map(([partition, next]) => [Number(partition), next]))
  return writes.positions.move({ groupId, topic, topicId, to: targets, asked: 'earliest', operation })
}

function place(partition: number, next: number, group = groupId) {
  return sql`INSERT INTO topic_status (group_id, topic, partition, next_offset, topic_id, trying_offset, trying_count,
      message_count, updated_at)
    VALUES (${group}, ${topic}, ${partition}, ${next}, ${TOPIC_ID}, ${next}, 2, 5, '2026-01-01Z')`
}

const stored = async () =>
  (
    await sql`SELECT partition, next_offset::int AS next, moves, trying_count AS tries, topic_id::text AS id,
      message_count::int AS messages, updated_at > '2026-01-02Z' AS is_new FROM topic_status ORDER BY partition`
  ).map(row => ({ ...row }))

t.test('moves positions back and on, counts the move and says where they were', async t => {
  await Promise.all([place(0, 50), place(1, 60), place(2, 70)])

  const result = await move({ 0: 10n, 2: 90n })

  t.strictSame(result, {
    kind: 'moved',
    before: new Map([
      [0, 50n],
      [2, 70n]
    ])
  })
  const moved = { moves: 1, tries: 0, id: TOPIC_ID, messages: 5, is_new: true }
  t.match(await stored(), [
    { ...moved, partition: 0, next: 10 },
    { partition: 1, next: 60, moves: 0, tries: 2, is_new: false },
    { ...moved, partition: 2, next: 90 }
  ])
})

t.test('makes a position that there is not yet', async t => {
  const result = await move({ 0: 10n })

  t.strictSame(result, { kind: 'moved', before: new Map() })
  t.match(await stored(), [{ partition: 0, next: 10, moves: 1, id: TOPIC_ID }])
})

const ids = [
  { when: 'another one than before', topicId: '0b6ff7b0-0000-4000-8000-000000000002' },
  { when: 'not told', topicId: null }
]
for (const { when, topicId } of ids) {
  t.test(`keeps the position in the log that the offsets are of, when its id is ${when}`, async t => {
    await place(0, 50)

    await move({ 0: 10n }, topicId)

    t.match(await stored(), [{ next: 10, id: topicId ?? TOPIC_ID }])
  })
}

t.test('moves nothing where the positions are those of another group', async t => {
  await place(0, 50, 'other.user-activities')

  t.strictSame(await move({ 0: 10n, 1: 10n }), { kind: 'foreign', groupId: 'other.user-activities' })

  t.match(await stored(), [{ next: 50, moves: 0 }])
  t.equal((await sql`SELECT FROM audit`).length, 0)
})

t.test('waits for a transaction of a runner, which counts', async t => {
  await place(0, 50)
  let moving: ReturnType<typeof move> | undefined

  await sql.begin(async tx => {
    await tx`UPDATE topic_status SET next_offset = 60`
    moving = move({ 0: 10n })
    while (
      (await sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
        .length === 0
    );
  })

  t.strictSame(await moving, { kind: 'moved', before: new Map([[0, 60n]]) })
  t.match(await stored(), [{ next: 10 }])
})

t.test('moves nothing while a runner holds a position for long', async t => {
  await Promise.all([place(0, 50), place(1, 60)])

  await sql.begin(async tx => {
    await tx`SELECT FROM topic_status WHERE partition = 1 FOR NO KEY UPDATE`
    t.strictSame(await move({ 0: 10n, 1: 10n }), { kind: 'busy' })
  })

  t.match(await stored(), [{ next: 50 }, { next: 60 }])
  t.equal((await sql`SELECT FROM audit`).length, 0)
})

t.test('is in the audit with where each position was', async t => {
  await place(0, 50)

  await move({ 0: 10n, 1: 0n })

  const partitions = [
    { partition: 0, from: '50', to: '10' },
    { partition: 1, from: null, to: '0' }
  ]
  t.match(await sql`SELECT * FROM audit`, [
    {
      id: operation.id,
      operator: 'ada',
      action: 'position',
      topic,
      request_id: 'r1',
      details: { to: 'earliest', partitions }
    }
  ])
})

t.test('counts what is settled between two positions, each record once', async t => {
  const message = (partition: number, offset: number, of = topic) => sql`
    INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
    VALUES (${of}, ${randomUUID()}, ${partition}, ${offset}, '{}', '{}', now())`
  for (const offset of [9, 10, 11, 19, 20]) await message(0, offset)
  await message(1, 12)
  await message(0, 12, 'other')
  await insertDead(sql, { topic, offset: 13 })
  await insertDead(sql, { topic, offset: 10, state: 'resolved' })

  const counted = await queries.positions.countSettled({ groupId, topic }, [
    { partition: 0, low: '10', high: '20' },
    { partition: 2, low: '0', high: '100' }
  ])

  t.strictSame(counted, new Map([[0, 4]]))
})
