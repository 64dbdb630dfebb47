import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startProcesses, type TestProcesses } from '../_support/processes.ts'

const TOPIC = 'user-activities'
const environment = { FUNCTIONS: TOPIC, CONSUMER_SESSION_TIMEOUT_MS: '6000' }

/** Events of 50 users, each with a number of its own. */
function events(count: number, from = 0) {
  return Array.from({ length: count }, (_, index) => ({
    userId: `user-${(from + index) % 50}`,
    action: 'login',
    metadata: { n: from + index }
  }))
}

async function count({ sql }: TestProcesses): Promise<number> {
  const [row] = await sql`SELECT count(*)::int AS rows FROM user_activities`
  return row?.rows
}

/** Every accepted event has its row, once, and nothing else was stored. */
async function checkAll(t: Test, processes: TestProcesses, accepted: readonly string[]) {
  const { until, ids, sql } = processes
  await until(async () => (await count(processes)) >= accepted.length, { timeoutMs: 40_000, what: 'all rows' })

  t.strictSame(await ids('user_activities'), accepted.toSorted())
  t.strictSame(await ids('messages'), accepted.toSorted())
  t.strictSame(await ids('dead_letters'), [])
  const [status] = await sql`SELECT sum(message_count)::int AS messages, sum(row_count)::int AS rows FROM topic_status`
  t.strictSame({ ...status }, { messages: accepted.length, rows: accepted.length }, 'the counters tell the same')
}

t.test('every event has its row once when the runner is killed in the middle', async t => {
  const processes = await startProcesses(t, { environment })
  await processes.produce(TOPIC, events(1))
  await processes.until(async () => (await count(processes)) === 1)

  const producing = processes.produce(TOPIC, events(20_000, 1))
  await processes.until(async () => (await count(processes)) > 2_000, { what: '2,000 rows' })
  await processes.kill('runner-0', 'SIGKILL')
  const atKill = await count(processes)
  const accepted = await producing
  t.ok(atKill < 20_001, `the kill came before the end: ${atKill} rows`)
  await processes.startRunner('runner-0')

  const first = await processes.sql`SELECT id::text AS id FROM messages WHERE value::jsonb -> 'metadata' ->> 'n' = '0'`
  await checkAll(t, processes, [...accepted, first[0]?.id])
})

t.test('every event has its row once when connections to PostgreSQL are cut again and again', async t => {
  const processes = await startProcesses(t, { environment })
  await processes.produce(TOPIC, events(1))
  await processes.until(async () => (await count(processes)) === 1)

  let isDone = false
  let cuts = 0
  const cutting = (async () => {
    while (!isDone) {
      const { length } = await processes.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'smg-runner%'`
      cuts += length
      await sleep(150)
    }
  })()
  const [first] = await processes.ids('messages')
  const accepted = await processes.produce(TOPIC, events(6_000, 1))
  await processes.until(() => cuts > 20, { what: '20 connections cut' })
  isDone = true
  await cutting

  await checkAll(t, processes, [...accepted, first ?? ''])
  t.ok(processes.pids.has('runner-0'), 'the process lives')
})

t.test('a runner that is stopped under load ends well, and another one takes over in the order of keys', async t => {
  const folder = `${import.meta.dirname}/_functions`
  const processes = await startProcesses(t, {
    gateways: 1,
    runners: 0,
    environment: { ...environment, FUNCTIONS_DIR: folder, FUNCTIONS: 'transfers' }
  })
  const { sql, until } = processes
  await sql.unsafe('CREATE TABLE transfers (sequence bigserial, id uuid, account text, n int)')
  await Promise.all([processes.startRunner('runner-0'), processes.startRunner('runner-1')])
  const rows = async () => (await sql`SELECT count(*)::int AS rows FROM transfers`)[0]?.rows

  const transfers = Array.from({ length: 4_000 }, (_, n) => ({ account: `a${n % 40}`, n, fail: n % 500 === 7 }))
  const producing = processes.produce('transfers', transfers)
  await until(async () => (await rows()) > 400, { what: '400 transfers' })
  const beganMs = Date.now()
  await processes.kill('runner-0', 'SIGTERM')
  const tookMs = Date.now() - beganMs
  const atStop = await rows()
  const accepted = await producing
  await until(async () => (await rows()) >= 4_000, { timeoutMs: 60_000, what: 'all transfers' })

  t.ok(tookMs < 10_000, `stopped after ${tookMs} ms`)
  t.match(processes.output('runner-0'), /the runner has stopped/)
  t.match(processes.output('runner-0'), /ended: .*\b0\b/)
  t.ok(atStop < 4_000, 'the stop came before the end')
  t.strictSame(
    (await sql`SELECT id::text AS id FROM transfers ORDER BY id`).map(({ id }) => id),
    accepted.toSorted()
  )
  const byAccount =
    await sql`SELECT account, array_to_json(array_agg(n ORDER BY sequence))::text AS ns FROM transfers GROUP BY account`
  for (const { account, ns } of byAccount) {
    const numbers: number[] = JSON.parse(ns)
    t.strictSame(
      numbers,
      numbers.toSorted((a, b) => a - b),
      `${account} in order`
    )
  }
})

t.test('effect and publication of a transaction happen once when the runner is killed', async t => {
  const folder = `${import.meta.dirname}/_functions`
  const processes = await startProcesses(t, {
    runners: 0,
    environment: { ...environment, FUNCTIONS_DIR: folder, FUNCTIONS: 'all' }
  })
  const { sql, until } = processes
  await sql.unsafe('CREATE TABLE transfers (sequence bigserial, id uuid, account text, n int)')
  await processes.startRunner('runner-0')
  const counts = async () => {
    const [row] = await sql`SELECT (SELECT count(*)::int FROM transfers) AS transfers,
      (SELECT count(*)::int FROM messages WHERE topic = 'bookings') AS bookings, (SELECT count(*)::int FROM outbox) AS waiting`
    return { transfers: Number(row?.transfers), bookings: Number(row?.bookings), waiting: Number(row?.waiting) }
  }

  const transfers = Array.from({ length: 2_000 }, (_, n) => ({ account: `a${n % 20}`, n }))
  const accepted = await processes.produce('transfers', transfers)
  for (const at of [200, 700, 1_300]) {
    await until(async () => (await counts()).transfers > at, { timeoutMs: 30_000, what: `${at} transfers` })
    await processes.kill('runner-0', 'SIGKILL')
    await processes.startRunner('runner-0')
  }
  await until(
    async () => {
      const { transfers, bookings, waiting } = await counts()
      return transfers >= 2_000 && bookings >= 2_000 && waiting === 0
    },
    { timeoutMs: 40_000, what: 'all transfers and bookings' }
  )

  t.strictSame(
    (await sql`SELECT id::text AS id FROM transfers ORDER BY id`).map(({ id }) => id),
    accepted.toSorted()
  )
  const bookings = await sql`SELECT (value ->> 'n')::int AS n FROM messages WHERE topic = 'bookings' ORDER BY n`
  t.strictSame(
    bookings.map(({ n }) => n),
    transfers.map(({ n }) => n)
  )
  t.equal((await sql`SELECT 1 FROM dead_letters`).length, 0)
  const ordered = await sql`SELECT key, array_to_json(array_agg((value ->> 'n')::int ORDER BY "offset"))::text AS ns
    FROM messages WHERE topic = 'bookings' GROUP BY key`
  for (const { key, ns } of ordered) {
    const numbers: number[] = JSON.parse(ns)
    t.strictSame(
      numbers,
      numbers.toSorted((a, b) => a - b),
      `bookings of ${key} in order`
    )
  }
})

t.test('can be stopped while it waits for PostgreSQL', async t => {
  const processes = await startProcesses(t, {
    gateways: 0,
    runners: 0,
    environment: { ...environment, DATABASE_URL: 'postgres://smg:smg@127.0.0.1:1/smg' }
  })
  const starting = processes.startRunner('runner-0').catch(() => undefined)
  await processes.until(() => processes.output('runner-0').includes('is not ready: waiting'))

  await processes.kill('runner-0', 'SIGTERM')
  await starting

  t.match(processes.output('runner-0'), /the runner has stopped/)
  t.match(processes.output('runner-0'), /ended: .*\b0\b/)
})
