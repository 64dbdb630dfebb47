import t from 'tap'
import { startProcesses } from '../_support/processes.ts'
import { expectEffects } from './_support/expect-effects.ts'

const environment = { FUNCTIONS_DIR: `${import.meta.dirname}/_functions`, CONSUMER_SESSION_TIMEOUT_MS: '6000' }

t.test('a runner that is stopped under load ends well, and another one takes over in the order of keys', async t => {
  const processes = await startProcesses(t, {
    gateways: 1,
    runners: 0,
    environment: { ...environment, FUNCTIONS: 'transfers' }
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
  await expectEffects(t, sql, { table: 'transfers', accepted })
})

t.test('effect and publication of a transaction happen once when the runner is killed', async t => {
  const processes = await startProcesses(t, {
    runners: 0,
    environment: { ...environment, FUNCTIONS: 'all' }
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
  for (const at of [200, 1_000]) {
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
