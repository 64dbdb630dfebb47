import t from 'tap'
import { startProcesses, type TestProcesses } from '../_support/processes.ts'
import { expectEffects } from './_support/expect-effects.ts'

const environment = {
  FUNCTIONS_DIR: `${import.meta.dirname}/_functions`,
  FUNCTIONS: 'payments',
  CONSUMER_SESSION_TIMEOUT_MS: '6000'
}
const ACCOUNTS = 20

/** Payments of which every tenth failed, and what came after it in its account is parked. */
async function bury(
  t: Parameters<typeof startProcesses>[0],
  count: number,
  runners = 1
): Promise<TestProcesses & { accepted: string[] }> {
  const processes = await startProcesses(t, { runners: 0, environment })
  const { sql, until } = processes
  await sql.unsafe(`CREATE TABLE payments (sequence bigserial, id uuid, account text, n int);
    CREATE TABLE suppliers (is_away bool); INSERT INTO suppliers VALUES (true)`)
  await Promise.all(Array.from({ length: runners }, (_, index) => processes.startRunner(`runner-${index}`)))
  const events = Array.from({ length: count }, (_, index) => ({
    account: `a${index % ACCOUNTS}`,
    n: Math.floor(index / ACCOUNTS) + 1
  }))
  const accepted = await processes.produce('payments', events)
  await until(async () => (await processes.lag('payments')) === 0, { timeoutMs: 60_000, what: 'all are settled' })
  return Object.assign(processes, { accepted })
}

async function post(url: string, body?: object) {
  const response = await fetch(url, {
    method: 'POST',
    ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {})
  })
  return { status: response.status, body: await response.json() }
}

async function byState({ sql }: TestProcesses): Promise<Record<string, number>> {
  const rows = await sql`SELECT state, count(*)::int AS count FROM dead_letters GROUP BY state ORDER BY state`
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]))
}

t.test('redrives in bulk through the API: a dry run, once each, in order, and then nothing', async t => {
  const processes = await bury(t, 600)
  const { sql, until, gatewayUrl } = processes
  // Of 30 payments of an account the tenth failed, and 20 are behind it.
  t.strictSame(await byState(processes), { dead: 21 * ACCOUNTS })
  const [head] =
    await sql`SELECT id::text AS id FROM dead_letters WHERE disposition = 'attempts_exhausted' ORDER BY id LIMIT 1`
  const [parked] =
    await sql`SELECT id::text AS id FROM dead_letters WHERE disposition = 'parked_behind_key' ORDER BY id LIMIT 1`

  t.match(await post(`${gatewayUrl}/api/dead-letters/${parked?.id}/redrive`), { status: 409 }, 'its head goes first')
  const again = await post(`${gatewayUrl}/api/dead-letters/${head?.id}/redrive`)
  t.match(again, { status: 202, body: { id: head?.id, state: 'redriving' } })
  await until(
    async () =>
      (await sql`SELECT FROM dead_letters WHERE id = ${head?.id} AND state = 'dead' AND attempts = 2`).length === 1
  )

  await sql`UPDATE suppliers SET is_away = false`
  const filter = { topic: 'payments', disposition: 'attempts_exhausted' }
  const dry = await post(`${gatewayUrl}/api/dead-letters/redrive`, { filter, dryRun: true })
  t.match(dry, { status: 200, body: { matched: ACCOUNTS } })
  t.strictSame(await byState(processes), { dead: 21 * ACCOUNTS }, 'a dry run changes nothing')

  t.match(await post(`${gatewayUrl}/api/dead-letters/redrive`, { filter }), {
    status: 202,
    body: { redriven: ACCOUNTS }
  })
  await until(async () => (await byState(processes)).resolved === 21 * ACCOUNTS, { timeoutMs: 60_000 })
  t.match(await post(`${gatewayUrl}/api/dead-letters/redrive`, { filter }), { status: 202, body: { redriven: 0 } })
  await expectEffects(t, processes.sql, { table: 'payments', accepted: processes.accepted })
  t.strictSame([...(await sql`SELECT FROM blocked_keys`)], [])

  const later = await processes.produce('payments', [{ account: 'a0', n: 31 }])
  await until(async () => (await processes.ids('payments')).includes(later[0] as string))
})

t.test('rule 21: runners that are killed in the middle of a redrive give each effect once', async t => {
  const processes = await bury(t, 3_000, 2)
  const { sql, until, gatewayUrl } = processes
  const dead = (await byState(processes)).dead ?? 0
  await sql`UPDATE suppliers SET is_away = false`

  const body = { filter: { topic: 'payments', disposition: 'attempts_exhausted' } }
  t.match(await post(`${gatewayUrl}/api/dead-letters/redrive`, body), { status: 202 })
  const resolved = async () => (await byState(processes)).resolved ?? 0
  let kills = 0
  for (const name of ['runner-0', 'runner-1', 'runner-0']) {
    const before = await resolved()
    if (before === dead) break
    await until(async () => (await resolved()) > before, { what: 'the redrive goes on' })
    if ((await resolved()) < dead) kills += 1
    await processes.kill(name, 'SIGKILL')
    await processes.startRunner(name)
  }
  t.ok(kills > 0, `${kills} kills came before the end`)
  await until(async () => (await byState(processes)).resolved === dead, { timeoutMs: 60_000, what: 'all are resolved' })

  await expectEffects(t, processes.sql, { table: 'payments', accepted: processes.accepted })
})

t.test('rule 21: a runner that is killed between an effect and its commit leaves it to the next', async t => {
  const processes = await bury(t, 400)
  const { sql, until, gatewayUrl } = processes
  const dead = (await byState(processes)).dead ?? 0
  await sql`UPDATE suppliers SET is_away = false`
  await sql.unsafe(`CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
    CREATE TRIGGER dawdle AFTER INSERT ON payments FOR EACH ROW WHEN (NEW.n = 12) EXECUTE FUNCTION dawdle()`)

  const body = { filter: { topic: 'payments', state: 'dead' } }
  t.match(await post(`${gatewayUrl}/api/dead-letters/redrive`, body), { status: 202 })
  await until(async () => (await sql`SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'`).length > 0)
  await processes.kill('runner-0', 'SIGKILL')
  await sql`ALTER TABLE payments DISABLE TRIGGER dawdle`
  await processes.startRunner('runner-0')
  await until(async () => (await byState(processes)).resolved === dead, { timeoutMs: 60_000, what: 'all are resolved' })

  await expectEffects(t, processes.sql, { table: 'payments', accepted: processes.accepted })
})
