import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startProcesses, type TestProcesses } from '../_support/processes.ts'

const PRODUCE_TIMEOUT_MS = 3_000
const system = await startProcesses(t, { environment: { PRODUCE_TIMEOUT_MS: String(PRODUCE_TIMEOUT_MS) } })
await system.startGateway('gateway-2')
const { sql } = system

const PATH = '/api/produce/user-activities'

interface Answer {
  readonly id: string
  readonly outcome?: object
}

function post(gateway: string, body: object, headers: Record<string, string> = {}) {
  return fetch(`${system.urlOf(gateway)}${PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body)
  })
}

/** Sends a request until it is answered for good, as a client does; gateways take turns. */
async function postUntilAnswered(gateways: readonly string[], body: object, headers: Record<string, string>) {
  const statuses: number[] = []
  for (let turn = 0; turn < 200; turn += 1) {
    const response = await post(gateways[turn % gateways.length] ?? '', body, headers).catch(() => null)
    statuses.push(response?.status ?? 0)
    if (response && response.status !== 409 && response.status !== 503) {
      return { status: response.status, answer: (await response.json()) as Answer, statuses }
    }
    await sleep(100)
  }
  throw new Error(`never answered: ${statuses.join(' ')}`)
}

async function settle({ until, lag, sql }: TestProcesses) {
  await until(async () => (await lag('user-activities')) === 0, { timeoutMs: 60_000 })
  return sql`SELECT m.id::text AS id, m.value ->> 'action' AS action,
    (SELECT count(*)::int FROM user_activities WHERE id = m.id) AS rows FROM messages AS m ORDER BY m.id`
}

async function copies() {
  const [row] = await sql`SELECT coalesce(sum(duplicate_count), 0)::int AS count FROM topic_status`
  return row?.count
}

t.test('rule 24: a kill -9 between acknowledgement and answer leaves one event, and a retry has its id', async t => {
  // The answer can only be stored once this lock is free: until then the event is acknowledged and not answered.
  await sql`SELECT 1` // else the reservation never comes back (postgres.js 3.4.9)
  const lock = await sql.reserve()
  await lock`SELECT pg_advisory_lock(4711)`
  await sql.unsafe(`
    CREATE FUNCTION hold_answer() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END';
    CREATE TRIGGER hold_answer BEFORE UPDATE ON idempotency_keys FOR EACH ROW WHEN (NEW.status = 202)
      EXECUTE FUNCTION hold_answer()`)
  const event = { userId: 'killed', action: randomUUID() }
  const headers = { 'idempotency-key': randomUUID() }

  const lost = post('gateway', event, headers).then(
    () => 'answered',
    () => 'lost'
  )
  const waiting = () => lock`SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`
  await system.until(async () => (await waiting()).length > 0, { what: 'the answer is held' })
  await system.kill('gateway', 'SIGKILL')
  // Else PostgreSQL would store the answer of a gateway that is dead.
  for (const { pid } of await waiting()) await lock`SELECT pg_terminate_backend(${pid})`
  await lock`SELECT pg_advisory_unlock(4711)`
  lock.release()
  await sql`DROP TRIGGER hold_answer ON idempotency_keys`
  t.equal(await lost, 'lost')
  const [planned] =
    await sql`SELECT records ->0->> 'id' AS id, status FROM idempotency_keys WHERE key = ${headers['idempotency-key']}`
  t.equal(planned?.status, null)

  await system.startGateway('gateway')
  const retried = await postUntilAnswered(['gateway-2', 'gateway'], event, headers)
  const again = await postUntilAnswered(['gateway'], event, headers)

  t.equal(retried.status, 202)
  t.equal(retried.answer.id, planned?.id)
  t.strictSame(again.answer, retried.answer)
  const settled = (await settle(system)).filter(({ action }) => action === event.action)
  t.strictSame([...settled], [{ id: planned?.id, action: event.action, rows: 1 }])
  t.equal(await copies(), 1, 'it was written twice, and had one effect')
})

t.test(
  'rule 24: without a key, what was answered before a kill -9 is there once, and what was not at most once',
  async t => {
    const events = Array.from({ length: 200 }, () => ({ userId: 'keyless', action: randomUUID() }))
    const answers = new Map<string, string>()
    const sending = events.map(async event => {
      const response = await post('gateway', event).catch(() => null)
      if (response?.status === 202) answers.set(event.action, ((await response.json()) as Answer).id)
    })
    await system.until(() => answers.size > 0)
    await system.kill('gateway', 'SIGKILL')
    await Promise.allSettled(sending)
    await system.startGateway('gateway')

    const settled = await settle(system)

    const sent = new Set(events.map(({ action }) => action))
    const found = settled.filter(({ action }) => sent.has(action))
    t.equal(new Set(found.map(({ action }) => action)).size, found.length, 'none twice')
    t.ok(found.every(({ rows }) => rows === 1))
    for (const [action, id] of answers)
      t.ok(
        found.some(one => one.action === action && one.id === id),
        `${action} is there`
      )
    t.comment(`${answers.size} of ${events.length} answered, ${found.length} written`)
  }
)

t.test('rule 24: two gateways write the event of a key once, and answer alike', async t => {
  const before = await copies()
  const requests = Array.from({ length: 30 }, (_, index) => ({
    event: { userId: `user-${index}`, action: randomUUID() },
    headers: { 'idempotency-key': randomUUID() }
  }))

  const answered = await Promise.all(
    requests.map(({ event, headers }) =>
      Promise.all([
        postUntilAnswered(['gateway', 'gateway-2'], event, headers),
        postUntilAnswered(['gateway-2', 'gateway'], event, headers)
      ])
    )
  )

  for (const [one, other] of answered) t.strictSame(one.answer, other.answer)
  const settled = new Map((await settle(system)).map(({ id, action }) => [action, id]))
  t.strictSame(
    answered.map(([{ answer }]) => answer.id),
    requests.map(({ event }) => settled.get(event.action))
  )
  t.equal(await copies(), before, 'no record was sent twice')
})

t.test('Prefer: wait gives the outcome, and a repeat under the key has it too', async t => {
  const headers = { prefer: 'wait=20', 'idempotency-key': randomUUID() }
  const event = { userId: 'waiting', action: randomUUID() }

  const first = await post('gateway', event, headers)
  const again = await post('gateway-2', event, headers)

  t.strictSame([first.status, again.status], [200, 200])
  const answer = (await first.json()) as Answer
  t.match(answer, { outcome: { state: 'settled' } })
  t.strictSame(await again.json(), answer)
  t.match(await sql`SELECT id::text AS id FROM messages WHERE value ->> 'action' = ${event.action}`, [
    { id: answer.id }
  ])
})

t.test('a SIGTERM answers those who wait with 202, and fails no request', async t => {
  await system.kill('runner-0', 'SIGTERM')
  const answers = Array.from({ length: 20 }, () =>
    post('gateway-2', { userId: 'stopped', action: randomUUID() }, { prefer: 'wait=30' })
  )
  // All of them are in Kafka, and wait.
  await system.until(async () => (await system.lag('user-activities')) >= 20)
  const startedMs = performance.now()

  await system.kill('gateway-2', 'SIGTERM')

  t.strictSame(new Set((await Promise.all(answers)).map(({ status }) => status)), new Set([202]))
  t.ok(performance.now() - startedMs < 25_000, 'before they have waited for as long as they would')
})
