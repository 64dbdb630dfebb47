import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startProcesses, type TestProcesses } from '../_support/processes.ts'
import { expectEffects } from './_support/expect-effects.ts'

// Operators move positions while runners work: what is settled stays settled, once.

interface Moved {
  readonly dryRun: boolean
  readonly partitions: { partition: number; from: string | null; to: string; records: number; settledAlready: number }[]
}

async function post(url: string, body?: object): Promise<{ status: number; body: Moved }> {
  const json = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(url, { method: 'POST', ...json })
  return { status: response.status, body: (await response.json()) as Moved }
}

const sum = ({ partitions }: Moved, name: 'records' | 'settledAlready') =>
  partitions.reduce((total, partition) => total + partition[name], 0)

const isDrained = async ({ until, lag }: TestProcesses, topic: string) =>
  until(async () => (await lag(topic)) === 0, { timeoutMs: 60_000, what: 'all are settled' })

t.test('a function with a table goes where it is sent, busy, idle or paused, and doubles nothing', async t => {
  const topic = 'user-activities'
  const processes = await startProcesses(t, { runners: 2, environment: { FUNCTIONS: topic } })
  const { sql, gatewayUrl, produce, ids, until } = processes
  const move = (to: unknown, dryRun = false) => post(`${gatewayUrl}/api/topics/${topic}/position`, { to, dryRun })
  const activities = (count: number) => Array.from({ length: count }, (_, n) => ({ userId: `u${n % 50}`, action: 'a' }))
  const duplicates = async () => Number((await sql`SELECT sum(duplicate_count) AS sum FROM topic_status`)[0]?.sum)

  const accepted = await produce(topic, activities(2_000))
  await isDrained(processes, topic)

  const preview = await move('earliest', true)
  t.match(preview, { status: 200, body: { dryRun: true } })
  t.strictSame([sum(preview.body, 'records'), sum(preview.body, 'settledAlready')], [2_000, 2_000])
  t.equal(await duplicates(), 0, 'a preview moves nothing')

  t.match(await move('earliest'), { status: 202, body: { dryRun: false } })
  // Positions are read every 10 s anyway.
  await until(async () => (await duplicates()) > 0, { timeoutMs: 5_000, what: 'an idle runner notices' })
  const producing = produce(topic, activities(3_000))
  for (let times = 0; times < 3; times += 1) {
    await sleep(100)
    t.match(await move('earliest'), { status: 202 })
  }
  accepted.push(...(await producing))
  await isDrained(processes, topic)
  t.strictSame(await ids('user_activities'), accepted.toSorted(), 'each effect once')
  t.strictSame(await ids('messages'), accepted.toSorted())

  await sleep(20)
  const since = new Date().toISOString()
  accepted.push(...(await produce(topic, activities(300))))
  await isDrained(processes, topic)
  const first =
    await sql`SELECT partition, min("offset")::text AS at FROM messages WHERE timestamp >= ${since}::text::timestamptz
    GROUP BY partition`
  const sent = await move(since)
  t.strictSame(
    sent.body.partitions.filter(({ records }) => records > 0).map(({ partition, to }) => [partition, to]),
    first.map(({ partition, at }) => [partition, at]).sort(([a], [b]) => a - b)
  )
  t.equal(sum(sent.body, 'settledAlready'), 300)
  await isDrained(processes, topic)

  await post(`${gatewayUrl}/api/functions/${topic}/pause`)
  for (const runner of ['runner-0', 'runner-1'])
    await until(async () => /"state":"paused"/.test(await (await fetch(`${processes.urlOf(runner)}/health`)).text()))
  await produce(topic, activities(100))
  const skipped = await move('latest')
  t.strictSame([sum(skipped.body, 'records'), sum(skipped.body, 'settledAlready')], [100, 0])
  await post(`${gatewayUrl}/api/functions/${topic}/resume`)
  accepted.push(...(await produce(topic, activities(10))))
  await until(async () => (await ids('messages')).length === accepted.length)
  t.strictSame(await ids('user_activities'), accepted.toSorted(), 'what was skipped has no effect, what came later has')
  t.strictSame(await ids('dead_letters'), [])

  const audit = (await (await fetch(`${gatewayUrl}/api/audit`)).json()) as { items: { action: string }[] }
  const actions = audit.items.map(({ action }) => action)
  t.strictSame(actions, ['resume', 'position', 'pause', 'position', 'position', 'position', 'position', 'position'])
  t.match(audit.items[1], { topic, details: { to: 'latest' }, requestId: /./ })
})

t.test('a function with transactions goes where it is sent, and does nothing twice', async t => {
  const topic = 'transfers'
  const processes = await startProcesses(t, {
    runners: 0,
    environment: { FUNCTIONS_DIR: `${import.meta.dirname}/_functions`, FUNCTIONS: topic }
  })
  const { sql, gatewayUrl, until, produce } = processes
  await sql.unsafe('CREATE TABLE transfers (sequence bigserial, id uuid, account text, n int)')
  await processes.startRunner('runner-0')
  const rows = async () => Number((await sql`SELECT count(*)::int AS rows FROM transfers`)[0]?.rows)
  const url = `${gatewayUrl}/api/topics/${topic}/position`

  const producing = produce(
    topic,
    Array.from({ length: 2_000 }, (_, n) => ({ account: `a${n % 20}`, n }))
  )
  for (const at of [100, 500, 1_000]) {
    await until(async () => (await rows()) > at, { what: `${at} transfers` })
    // A runner may hold its position for as long as an attempt takes.
    await until(async () => (await post(url, { to: 'earliest' })).status === 202)
  }
  const accepted = await producing
  await isDrained(processes, topic)

  await expectEffects(t, sql, { table: 'transfers', accepted })
  t.ok(
    Number((await sql`SELECT sum(duplicate_count) AS sum FROM topic_status`)[0]?.sum) > 0,
    'there was something to double'
  )
})
