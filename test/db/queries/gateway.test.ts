import t from 'tap'
import { createDatabase } from '../../../db/client.ts'
import { createGatewayQueries } from '../../../db/queries/gateway.ts'
import { createTestDatabase } from '../../_support/database.ts'

const { databaseUrl, sql } = await createTestDatabase(t)
const database = createDatabase(databaseUrl, { max: 2, applicationName: 'test', statementTimeoutMs: 300 })
t.teardown(() => database.close())
const queries = createGatewayQueries(database.sql)

t.test('gives positions and counts as they are stored', async t => {
  await sql`INSERT INTO topic_status (group_id, topic, partition, next_offset, message_count, row_count,
      dead_letter_count, last_message_at)
    VALUES ('smg.a', 'a', 0, '9007199254740993'::text::bigint, 5, 4, 1, '2026-01-31T12:00:00.5Z'), ('smg.a', 'a', 1, 0, 0, 0, 0, null)`

  t.match(await queries.topicStatus.all(), [
    {
      groupId: 'smg.a',
      topic: 'a',
      partition: 0,
      nextOffset: 9007199254740993n,
      messageCount: 5,
      rowCount: 4,
      deadLetterCount: 1,
      lostCount: 0,
      lastMessageAt: '2026-01-31T12:00:00.500Z'
    },
    { partition: 1, nextOffset: 0n, lastMessageAt: null }
  ])
})

t.test('gives the states of functions', async t => {
  const since = '2026-01-31T12:00:00.000Z'
  await sql`INSERT INTO function_states (group_id, topic, state, reason, since, details)
    VALUES ('smg.a', 'a', 'stopped', 'no table', ${since}::text::timestamptz, '{}'),
      ('smg.b', 'b', 'stopped', 'handle Error', ${since}::text::timestamptz, '{"flood":{}}'),
      ('smg.c', 'c', 'running', NULL, ${since}::text::timestamptz, '{"flood":{},"probe":true}')`

  const states = await queries.functionStates.all()

  t.strictSame(
    states.toSorted((one, other) => one.topic.localeCompare(other.topic)),
    [
      { groupId: 'smg.a', topic: 'a', state: 'stopped', reason: 'no table', since, isFlood: false },
      { groupId: 'smg.b', topic: 'b', state: 'stopped', reason: 'handle Error', since, isFlood: true },
      { groupId: 'smg.c', topic: 'c', state: 'running', reason: null, since, isFlood: false }
    ]
  )
})

t.test('counts connections and bytes of this database', async t => {
  const [busy] = await Promise.all([queries.stats.database(), sql`SELECT pg_sleep(0.2)`])
  const { connectionCount, usedConnectionCount, sizeBytes } = busy

  t.ok(connectionCount >= 1 && connectionCount < 20, String(connectionCount))
  // Itself, at least.
  t.ok(usedConnectionCount >= 1 && usedConnectionCount <= connectionCount, String(usedConnectionCount))
  t.ok(sizeBytes > 1_000_000)
})

t.test('counts the dead letters that wait, by topic, with the age of the oldest', async t => {
  const ages = [
    { topic: 'a', state: 'dead', age: '2 hours' },
    { topic: 'a', state: 'redriving', age: '1 hour' },
    { topic: 'a', state: 'resolved', age: '3 hours' },
    { topic: 'b', state: 'discarded', age: '3 hours' },
    { topic: 'c', state: 'dead', age: '-1 hour' }
  ]
  for (const [index, { topic, state, age }] of ages.entries())
    await sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", headers, timestamp, stage,
        disposition, error_name, error_message, attempts, state, created_at)
      VALUES (gen_random_uuid(), ${`smg.${topic}`}, ${topic}, gen_random_uuid(), 0, ${index}, '[]', now(), 'handle',
        'non_retriable', 'Error', 'why', 1, ${state}, now() - ${age}::text::interval)`

  const waiting = await queries.stats.deadLetters()

  t.strictSame([...waiting.keys()].sort(), ['a', 'c'])
  t.match(waiting.get('a'), { waiting: 2 })
  t.ok(Math.abs((waiting.get('a')?.oldestSeconds ?? 0) - 7_200) < 60)
  t.strictSame(waiting.get('c'), { waiting: 1, oldestSeconds: 0 }, 'a clock that was set back makes no age below 0')
})

t.test('counts what waits of the outbox', async t => {
  await sql`INSERT INTO outbox (topic, partition, event_id, headers, timestamp, created_at)
    VALUES ('a', 0, gen_random_uuid(), '[]', now(), now() - interval '1 minute')`

  const { waiting, oldestSeconds, refused } = await queries.stats.outbox()

  t.strictSame({ waiting, refused }, { waiting: 1, refused: 0 })
  t.ok(oldestSeconds >= 60 && oldestSeconds < 120, String(oldestSeconds))
})

t.test('names the data directory to those who may know it', async t => {
  t.match(await queries.stats.dataDirectory(), /^\//)
})

t.test('gives a slow statement up by itself', async t => {
  await t.rejects(database.sql`SELECT pg_sleep(5)`, { code: '57014' })
  await queries.stats.probe()
})
