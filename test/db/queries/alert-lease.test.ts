import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { AlertTurns } from '../../../db/queries/alert-turns.ts'
import { createTestDatabase } from '../../_support/database.ts'
import { openTurns } from '../../gateway/_support/alerting.ts'

const LEASE_MS = 60_000

/** A gateway that says whether it leads after each of its turns. */
function toGateway(turns: AlertTurns) {
  const instance = randomUUID()
  return {
    instance,
    leave: () => turns.leave(instance),
    async leads({ seesKafka = true, leaseMs = LEASE_MS, through = turns } = {}): Promise<boolean> {
      const alone = { notices: [], states: [] }
      const report = { instance, leaseMs, seesKafka, counts: [], alone, deliveries: [], sinks: [] }
      return (await through.take(report, () => ({ states: [], notices: [] }))).leads
    }
  }
}

type Gateway = ReturnType<typeof toGateway>

/** Two gateways on connections of their own. */
async function startTwo(t: Parameters<typeof openTurns>[0]) {
  const { databaseUrl, sql } = await createTestDatabase(t)
  const [one, two] = [toGateway(openTurns(t, databaseUrl)), toGateway(openTurns(t, databaseUrl))]
  return {
    databaseUrl,
    one,
    two,
    /** Lets so much time go by for a gateway, in which it does nothing. */
    age: ({ instance }: Gateway, ms: number) => sql`
      UPDATE gateway_reports SET reported_at = reported_at - ${`${ms} ms`}::text::interval,
        leads_until = leads_until - ${`${ms} ms`}::text::interval WHERE instance = ${instance}`,
    async leftMs({ instance }: Gateway): Promise<number> {
      const [row] = await sql`SELECT (extract(epoch FROM leads_until - clock_timestamp()) * 1000)::float8 AS ms
        FROM gateway_reports WHERE instance = ${instance}`
      return row?.ms
    }
  }
}

t.test('is taken by the first, which renews it with each of its turns', async t => {
  const { one, two, age, leftMs } = await startTwo(t)
  t.strictSame([await one.leads(), await two.leads()], [true, false])
  await age(one, 50_000)
  t.ok((await leftMs(one)) < 10_000)

  t.strictSame([await one.leads(), await two.leads()], [true, false])

  const left = await leftMs(one)
  t.ok(left > 50_000 && left <= LEASE_MS, `${left} ms are left`)
  t.equal(await leftMs(two), null)
})

t.test('goes to the next when nobody renewed it, and not back', async t => {
  const { one, two, age } = await startTwo(t)
  await one.leads()
  await age(one, LEASE_MS - 10_000)
  t.equal(await two.leads(), false)

  await age(one, 10_000)

  t.strictSame([await two.leads(), await one.leads()], [true, false])
})

t.test('is taken again by who was late, when no other one took it', async t => {
  const { one, two, age } = await startTwo(t)
  await one.leads()
  await age(one, LEASE_MS)

  t.strictSame([await one.leads(), await two.leads()], [true, false])
})

t.test('is given up by a gateway that stops, and only by the one that has it', async t => {
  const { one, two } = await startTwo(t)
  await one.leads()
  await two.leads()
  await two.leave()
  t.strictSame([await two.leads(), await one.leads()], [false, true])

  await one.leave()

  t.equal(await two.leads(), true)
})

t.test('is yielded by one that does not see Kafka to one that does', async t => {
  const { one, two } = await startTwo(t)
  t.strictSame([await one.leads(), await two.leads()], [true, false])

  t.equal(await one.leads({ seesKafka: false }), false)
  t.equal(await one.leads({ seesKafka: false }), false, 'nor does it take it back before the other has it')
  t.equal(await two.leads(), true)

  t.equal(await one.leads(), false, 'it sees Kafka again, and the other leads')
  t.equal(await two.leads({ seesKafka: false }), false)
  t.equal(await one.leads(), true)
})

t.test('stays where it is when nobody sees Kafka, or only the one that leads', async t => {
  const { one, two } = await startTwo(t)

  for (const seesKafka of [false, true, false]) {
    t.equal(await one.leads({ seesKafka }), true)
    t.equal(await two.leads({ seesKafka: false }), false)
  }
})

t.test('is not left to one that saw Kafka before it was killed, or before it stopped', async t => {
  for (const { when, end } of [
    { when: 'killed', end: ({ age, two }: Awaited<ReturnType<typeof startTwo>>) => age(two, LEASE_MS) },
    { when: 'stopped', end: ({ two }: Awaited<ReturnType<typeof startTwo>>) => two.leave() }
  ]) {
    const both = await startTwo(t)
    await both.one.leads()
    await both.two.leads()

    await end(both)

    t.equal(await both.one.leads({ seesKafka: false }), true, when)
  }
})

// What a pooler in transaction mode does.
t.test('belongs to a gateway, and not to the connection that its turn happens to have', async t => {
  const { databaseUrl, one, two } = await startTwo(t)
  const others = [openTurns(t, databaseUrl), openTurns(t, databaseUrl)]
  const [shared] = others

  t.equal(await one.leads({ through: shared }), true)
  t.equal(await two.leads({ through: shared }), false, 'on the same connection')
  for (const through of others) t.equal(await one.leads({ through }), true, 'on another one')
})
