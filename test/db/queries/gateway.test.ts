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
  await sql`INSERT INTO function_states (group_id, topic, state, reason, since)
    VALUES ('smg.a', 'a', 'stopped', 'flood', '2026-01-31T12:00:00Z')`

  t.strictSame(await queries.functionStates.all(), [
    { groupId: 'smg.a', topic: 'a', state: 'stopped', reason: 'flood', since: '2026-01-31T12:00:00.000Z' }
  ])
})

t.test('counts connections and bytes of this database', async t => {
  const { connectionCount, sizeBytes } = await queries.stats.database()

  t.ok(connectionCount >= 1 && connectionCount < 20, String(connectionCount))
  t.ok(sizeBytes > 1_000_000)
})

t.test('names the data directory to those who may know it', async t => {
  t.match(await queries.stats.dataDirectory(), /^\//)
})

t.test('gives a slow statement up by itself', async t => {
  await t.rejects(database.sql`SELECT pg_sleep(5)`, { code: '57014' })
  await queries.stats.probe()
})
