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
