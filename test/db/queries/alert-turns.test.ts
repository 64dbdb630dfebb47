import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import t from 'tap'
import { createAlertQueries, createAlertWrites } from '../../../db/queries/alerts.ts'
import type { Sink } from '../../../gateway/alerts/deliveries.ts'
import { createTestDatabase } from '../../_support/database.ts'
import { createPostgresProxy } from '../../_support/postgres-proxy.ts'
import { openTurns, startAlerting, type TestGateway } from '../../gateway/_support/alerting.ts'
import { until } from '../../gateway/_support/open-request.ts'

const PAGE = { limit: 50, after: null }

/** As if no turn had come in time. */
const endLease = (sql: Sql) => sql`UPDATE gateway_reports SET leads_until = clock_timestamp() - interval '1 ms'`

/** Two gateways on one database, each behind a way that can be cut. */
async function startTwo(t: Parameters<typeof startAlerting>[0]) {
  const { databaseUrl, sql } = await createTestDatabase(t)
  const open = async () => {
    const proxy = await createPostgresProxy(t, databaseUrl)
    return Object.assign(startAlerting(t, { turns: openTurns(t, proxy.url), sql }), { proxy })
  }
  const [one, two] = [await open(), await open()]
  const queries = createAlertQueries(sql)
  return {
    sql,
    queries,
    one,
    two,
    async history() {
      return JSON.parse((await queries.history({}, PAGE)).items)
    },
    turn: async () => {
      await one.alerts.turn()
      await two.alerts.turn()
    },
    evaluators: () => sql`SELECT instance FROM gateway_reports WHERE evaluated_at IS NOT NULL`
  }
}

t.test('of two gateways one evaluates and tells, by what both counted, and both know it', async t => {
  const { one, two, turn, queries, history, evaluators } = await startTwo(t)
  Object.assign(one, { refused: 101, failures: 6 })
  Object.assign(two, { refused: 101, failures: 5 })

  await turn()
  await turn()
  await until(() => one.told.length === 2)

  t.strictSame(two.told, [])
  t.equal((await evaluators()).length, 1)
  t.match(await queries.states(), {
    evaluatedAtMs: Number,
    states: [
      { name: 'TooManyFailures', state: 'firing', value: 11, sinceMs: Number, episodeMs: Number },
      { name: 'TooMuch', state: 'firing', value: 101 }
    ]
  })
  t.strictSame(two.alerts.states(), (await queries.states()).states)
  t.match(await two.alerts.read(), { source: 'database' })
  t.equal((await history()).length, 2)
})

t.test('a notice is delivered once, and its row says so', async t => {
  const { sql, one, turn, history } = await startTwo(t)
  Object.assign(one, { refused: 101 })
  await turn()
  await until(() => one.told.length === 1)
  Object.assign(one, { refused: 0 })
  await turn()
  await until(() => one.told.length === 2)

  await turn()

  t.match(await history(), [
    {
      id: one.told[1]?.id,
      name: 'TooMuch',
      event: 'cleared',
      value: 0,
      deliveries: [{ sink: 'memory', state: 'delivered', attempts: 1, at: /Z$/ }]
    },
    { id: one.told[0]?.id, severity: 'critical', subject: null, event: 'fired', value: 101, threshold: 100, at: /Z$/ }
  ])
  t.equal(one.told.length, 2)

  // What another gateway still thinks of it comes later.
  const noticeId = one.told[0]?.id ?? ''
  await createAlertWrites(sql).settle([{ noticeId, sink: 'memory', state: 'pending', attempts: 9, atMs: null }])
  const [kept] = await sql`SELECT state, attempts FROM alert_deliveries WHERE notice_id = ${noticeId}`
  t.match(kept, { state: 'delivered', attempts: 1 })
})

t.test('another gateway takes over when the lease of the one that leads is over, and tells nothing twice', async t => {
  const { sql, one, two, turn, history } = await startTwo(t)
  Object.assign(one, { refused: 101 })
  Object.assign(two, { refused: 101 })
  await turn()
  await until(() => one.told.length === 1)
  await turn()

  await endLease(sql)
  await two.alerts.turn()
  Object.assign(two, { refused: 0 })
  await turn()
  await until(() => two.told.length === 1)

  t.match(two.told, [{ name: 'TooMuch', event: 'cleared' }])
  t.equal(one.told.length, 1, 'it leads no more, and evaluates nothing')
  t.equal((await history()).length, 2)
})

for (const { when, handOver } of [
  { when: 'stopped', handOver: (one: TestGateway) => one.alerts.stop() },
  {
    when: 'does not see Kafka any more',
    async handOver(one: TestGateway) {
      Object.assign(one, { seesKafka: false })
      await one.alerts.turn()
    }
  }
]) {
  t.test(`what the one that led did not deliver is delivered by the next when it ${when}`, async t => {
    const { databaseUrl, sql } = await createTestDatabase(t)
    const refused: string[] = []
    const arrived: string[] = []
    const toSinks = (webhook: Sink['send']) => ({
      turns: openTurns(t, databaseUrl),
      sql,
      sinks: { webhook: { send: webhook } }
    })
    const one = startAlerting(
      t,
      toSinks(async ({ id }) => {
        refused.push(id)
        throw new Error('refused')
      })
    )
    const two = startAlerting(
      t,
      toSinks(async ({ id }) => void arrived.push(id))
    )
    for (const gateway of [one, two]) Object.assign(gateway, { refused: 101 })
    await one.alerts.turn()
    await until(() => one.told.length === 1 && refused.length > 1)
    for (const { alerts } of [one, two]) await alerts.turn()
    t.strictSame(arrived, [], 'as long as it leads')

    await handOver(one)
    const before = refused.length
    await two.alerts.turn()
    await until(() => arrived.length === 1)
    await two.alerts.turn()

    t.strictSame(
      arrived,
      one.told.map(({ id }) => id)
    )
    t.strictSame(two.told, [])
    t.ok(refused.length <= before + 1, 'the first one lets go of it')
    const [webhook] = await sql`SELECT state, attempts FROM alert_deliveries WHERE sink = 'webhook'`
    t.match(webhook, { state: 'delivered' })
    t.ok(webhook?.attempts > 1)
  })
}

t.test('without PostgreSQL both tell with one id, and the table has one notice afterwards', async t => {
  const { one, two, turn, history, queries } = await startTwo(t)
  await turn()
  for (const { proxy } of [one, two]) proxy.swallow()
  for (const gateway of [one, two]) Object.assign(gateway, { failures: 11 })

  await Promise.all([one.alerts.turn(), two.alerts.turn()])
  await until(() => one.told.length === 1 && two.told.length === 1)
  t.equal(one.told[0]?.id, two.told[0]?.id)
  t.match(await one.alerts.read(), { source: 'memory', states: [{}, { name: 'TooManyFailures', state: 'firing' }] })
  t.strictSame(await history(), [])

  for (const { proxy } of [one, two]) {
    proxy.restore()
    proxy.reset()
  }
  await until(() => one.alerts.states().length > 0)
  for (let turns = 0; (await one.alerts.read()).source === 'memory' && turns < 20; turns += 1) await turn()
  await turn()
  t.match(await queries.states(), {
    states: [{ name: 'TooManyFailures', state: 'firing', value: 22 }, { state: 'ok' }]
  })
  for (const gateway of [one, two]) Object.assign(gateway, { failures: 0 })
  await turn()
  await turn()
  await until(() => one.told.length + two.told.length === 3)

  const [cleared, fired] = await history()
  t.match(fired, { id: one.told[0]?.id, event: 'fired', deliveries: [{ state: 'delivered' }] })
  t.match(cleared, { name: 'TooManyFailures', event: 'cleared' })
  t.equal((await history()).length, 2)
})

t.test('an alert that fired and cleared while PostgreSQL was away is only history afterwards', async t => {
  const { sql, one, turn, history, queries } = await startTwo(t)
  Object.assign(one, { refused: 101 })
  await turn()
  await until(() => one.told.length === 1)
  one.proxy.swallow()
  for (const refused of [0, 101, 0]) {
    Object.assign(one, { refused })
    await one.alerts.turn()
  }
  await until(() => one.told.length === 4)

  one.proxy.restore()
  one.proxy.reset()
  for (let turns = 0; (await one.alerts.read()).source === 'memory' && turns < 20; turns += 1) await turn()
  await turn()

  t.match(await queries.states(), { states: [{}, { name: 'TooMuch', state: 'ok', sinceMs: null }] })
  t.equal((await history()).length, 4)
  t.equal(one.told.length, 4)
  t.equal((await sql`SELECT FROM alert_deliveries WHERE state <> 'delivered'`).length, 0)
})

t.test('a gateway that froze, or whose host is gone, leads no longer than its lease', async t => {
  const { sql, one, two, turn } = await startTwo(t)
  await turn()
  one.proxy.swallow()
  Object.assign(two, { refused: 101 })
  await two.alerts.turn()
  t.match(two.alerts.states(), [{ name: 'TooManyFailures' }, { state: 'ok' }], 'the lease holds')

  await endLease(sql)
  await two.alerts.turn()
  await until(() => two.told.length === 1)

  t.match(two.told, [{ name: 'TooMuch', event: 'fired' }])
})

t.test('a place with more pending notices than a turn takes keeps none from the others', async t => {
  const { databaseUrl, sql } = await createTestDatabase(t)
  await sql`INSERT INTO alert_notices (id, name, severity, event, threshold, at, episode, summary)
    SELECT gen_random_uuid(), 'A', 'warning', 'fired', 1, now() - n * interval '1 s', now(), n::text
    FROM generate_series(0, 201) AS n`
  await sql`INSERT INTO alert_deliveries (notice_id, sink, state, attempts)
    SELECT id, sink, 'pending', 0 FROM alert_notices, unnest(ARRAY['log', 'webhook']) AS sink
    WHERE sink = 'webhook' OR summary = '0'`
  const turns = openTurns(t, databaseUrl)
  const alone = { notices: [], states: [] }
  const instance = randomUUID()
  const report = { instance, leaseMs: 60_000, seesKafka: true, counts: [], alone, deliveries: [], sinks: [] }

  const { pending } = await turns.take(report, () => ({ states: [], notices: [] }))

  const summariesOf = (name: string) => pending.filter(({ sink }) => sink === name).map(({ notice }) => notice.summary)
  t.strictSame(summariesOf('log'), ['0'])
  t.strictSame(
    summariesOf('webhook'),
    Array.from({ length: 200 }, (_, index) => String(201 - index)),
    'the oldest first'
  )
})

t.test('lists notices by name and severity, in pages, and deletes those that are older than 90 days', async t => {
  const { sql } = await createTestDatabase(t)
  const { history } = createAlertQueries(sql)
  for (let index = 0; index < 5; index += 1) {
    await sql`INSERT INTO alert_notices (id, name, severity, subject, event, value, threshold, at, episode, summary)
      VALUES (gen_random_uuid(), ${index % 2 === 0 ? 'A' : 'B'}, ${index === 4 ? 'critical' : 'warning'}, 'a', 'fired', null,
        1.5, now() - ${`${index * 40} days`}::text::interval, now(), ${String(index)})`
  }
  const names = async (filters: Record<string, string>) =>
    JSON.parse((await history(filters, PAGE)).items).map(({ summary }: { summary: string }) => summary)

  t.strictSame(await names({}), ['0', '1', '2', '3', '4'])
  t.strictSame(await names({ name: 'A' }), ['0', '2', '4'])
  t.strictSame(await names({ name: 'A', severity: 'critical' }), ['4'])
  const first = await history({}, { limit: 2, after: null })
  const second = await history({}, { limit: 2, after: first.next })
  t.match(JSON.parse(second.items), [{ summary: '2', value: null, threshold: 1.5, deliveries: [] }, { summary: '3' }])

  const { expire } = createAlertWrites(sql)
  t.strictSame([await expire(), await expire()], [2, 0])
  t.strictSame(await names({}), ['0', '1', '2'])
})
