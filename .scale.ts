import { createDatabase } from './db/client.ts'
import { createGatewayQueries } from './db/queries/gateway.ts'
import { createTestDatabase } from './test/_support/database.ts'

const ends: (() => Promise<unknown> | unknown)[] = []
const { databaseUrl, sql } = await createTestDatabase({ teardown: end => void ends.unshift(end) })
const database = createDatabase(databaseUrl, { max: 2, applicationName: 'scale' })
const queries = createGatewayQueries(database.sql)
const time = async (name: string, work: () => Promise<unknown>) => {
  for (let round = 0; round < 3; round += 1) {
    const started = performance.now()
    const result = await work()
    console.log(
      name,
      round,
      Math.round(performance.now() - started),
      'ms',
      JSON.stringify(result, (_k, v) => (v instanceof Map ? [...v] : v))?.slice(0, 200)
    )
  }
}
const million = 1_000_000
console.log('filling dead letters')
await sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp, stage, disposition, error_name, error_message, error_stack, attempts, created_at)
  SELECT gen_random_uuid(), 'smg.t' || n % 4, 't' || n % 4, gen_random_uuid(), n % 3, n, ('k' || n % 1000)::bytea, convert_to(repeat('x', 300), 'UTF8'), '[]', now() - n * interval '10 ms',
    'handle', 'attempts_exhausted', 'Error' || n % 25, 'why', repeat('stack ', 100), 3, now() - n * interval '10 ms' FROM generate_series(1, ${million}::int) n`
await time('groups, before vacuum', () => queries.deadLetters.groups({}, 50))
await sql`VACUUM ANALYZE dead_letters`
await time('groups', () => queries.deadLetters.groups({}, 50))
await time('groups of topic', () => queries.deadLetters.groups({ topic: 't1', state: 'dead' }, 50))
await time('groups of a day', () =>
  queries.deadLetters.groups({ from: new Date(Date.now() - 3_600_000).toISOString() }, 50)
)
console.log('filling messages')
await sql`INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
  SELECT 't1', gen_random_uuid(), n % 3, n / 3, 'k' || n % 1000, ('{"userId":"u' || n || '","action":"login"}')::json, '{"id":"x","content-type":"application/json","producer-id":"smg"}', now() - (${million}::int - n) * interval '200 us' FROM generate_series(1, ${million}::int) n`
await sql`VACUUM ANALYZE messages`
const group = { groupId: 'smg.t1', topic: 't1' }
await time('countSettled', () =>
  queries.positions.countSettled(
    group,
    [0, 1, 2].map(partition => ({ partition, low: '0', high: '400000' }))
  )
)
const [{ at }] = (await sql`SELECT max(timestamp)::text AS at FROM messages`) as never
const until = new Date(at).toISOString(),
  after = new Date(Date.parse(at) - 500).toISOString()
const moved = [0, 1, 2].map(partition => ({
  topic: 't1',
  partition,
  low: '332500',
  high: '333400',
  after,
  until,
  count: 833
}))
await time('since', async () => (await queries.messageTail.since(moved, null)).length)
await time('since keys', async () => (await queries.messageTail.since(moved, ['k5'])).length)
await time(
  'since skewed',
  async () =>
    (await queries.messageTail.since([{ topic: 't1', partition: 0, low: '0', high: '10', after: null, until }], null))
      .length
)
await time('topicStatus', async () => (await queries.topicStatus.all()).length)
await database.close()
for (const end of ends) await end()
process.exit(0)
