import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import t from 'tap'
import { createDatabase } from '../../../db/client.ts'
import { createRowQueries } from '../../../db/queries/rows.ts'
import { createTestDatabase } from '../../_support/database.ts'

const { databaseUrl, sql } = await createTestDatabase(t)
const database = createDatabase(databaseUrl, { max: 2, applicationName: 'test' })
t.teardown(() => database.close())
const queries = createRowQueries(database.sql)
const newest = { limit: 50, after: null }

const id = randomUUID()
const occurredAt = '2026-01-31T12:00:00.123456Z'
const common = { id, timestamp: occurredAt, receivedAt: /^\d{4}-\d\d-\d\dT.*Z$/ }

const tables = [
  {
    name: 'userActivities',
    insert: `INSERT INTO user_activities (id, user_id, action, metadata, occurred_at) VALUES ($1, 'u', 'login', '{"a":[1]}', $2::text::timestamptz)`,
    row: { userId: 'u', action: 'login', metadata: { a: [1] } },
    others: [{ userId: 'v' }, { action: 'logout' }]
  },
  {
    name: 'systemMetrics',
    insert: `INSERT INTO system_metrics (id, source, name, value, labels, occurred_at) VALUES ($1, 's', 'cpu', 0.1, '{}', $2::text::timestamptz)`,
    row: { source: 's', name: 'cpu', value: 0.1, unit: null, labels: {} },
    others: [{ source: 'x' }, { name: 'ram' }]
  },
  {
    name: 'errorLogs',
    insert: `INSERT INTO error_logs (id, service, level, message, context, occurred_at) VALUES ($1, 's', 'error', 'm', '{}', $2::text::timestamptz)`,
    row: { service: 's', level: 'error', message: 'm', stack: null, context: {} },
    others: [{ service: 'x' }, { level: 'warn' }]
  },
  {
    name: 'notifications',
    insert: `INSERT INTO notifications (id, recipient, channel, message, metadata, occurred_at) VALUES ($1, 'r', 'sms', 'm', '{}', $2::text::timestamptz)`,
    row: { recipient: 'r', channel: 'sms', title: null, message: 'm', metadata: {} },
    others: [{ recipient: 'x' }, { channel: 'email' }]
  }
] as const

for (const { name, insert, row, others } of tables) {
  t.test(`lists rows of ${name} with the fields of their event`, async t => {
    await sql.unsafe(insert, [id, occurredAt])
    const own = Object.fromEntries(
      Object.keys(others[0]).map(field => [field, String(Object.entries(row).find(([name]) => name === field)?.[1])])
    )

    const [item, ...more] = JSON.parse((await queries[name](own, newest)).items)

    t.match(item, { ...row, ...common })
    t.strictSame(Object.keys(item).sort(), [...Object.keys(row), ...Object.keys(common)].sort())
    t.strictSame(more, [])
    for (const other of others) t.equal((await queries[name](other, newest)).items, '[]')
    t.equal((await queries[name]({ from: occurredAt, to: occurredAt }, newest)).items, '[]')
  })
}

t.test('pages through rows of one time by their id', async t => {
  await sql`TRUNCATE user_activities`
  await insertActivities(sql, 5)
  const seen: string[] = []

  const first = await queries.userActivities({}, { limit: 3, after: null })
  const second = await queries.userActivities({}, { limit: 3, after: first.next })

  for (const page of [first, second]) seen.push(...JSON.parse(page.items).map((item: { id: string }) => item.id))
  t.strictSame(seen, [...seen].sort().reverse())
  t.equal(new Set(seen).size, 5)
  t.equal(second.next, null)
})

async function insertActivities(database: Sql, count: number) {
  await database`INSERT INTO user_activities (id, user_id, action, metadata, occurred_at)
    SELECT gen_random_uuid(), 'u', 'a', '{}', '2026-01-31' FROM generate_series(1, ${count}::int)`
}
