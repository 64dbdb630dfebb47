import t from 'tap'
import { startProcesses } from '../_support/processes.ts'

// Nobody runs user-activities.
const system = await startProcesses(t, {
  environment: { ALERT_INTERVAL_MS: '1000', FUNCTIONS: 'error-logs,notifications' }
})
const { sql } = system

async function firing(): Promise<string[]> {
  const response = await fetch(`${system.gatewayUrl}/api/alerts`)
  const { items } = (await response.json()) as {
    items: { name: string; state: string; subjects: { subject: string; state: string }[] }[]
  }
  return items.flatMap(({ name, subjects }) =>
    subjects.filter(({ state }) => state === 'firing').map(({ subject }) => `${name} ${subject}`)
  )
}

t.test('a runner that cannot move its position, and a topic that nobody reads, are told apart', async t => {
  const event = { service: 'test', level: 'warn', message: 'one' }
  await system.produce('error-logs', [event, event, event])
  await system.until(async () => (await system.lag('error-logs')) === 0)
  await sql`SELECT 1` // else the reservation never comes back (postgres.js 3.4.9)
  const lock = await sql.reserve()
  await lock`BEGIN`
  await lock`SELECT FROM topic_status WHERE topic = 'error-logs' FOR UPDATE`
  await system.produce('error-logs', [event, event, event])
  await system.produce('user-activities', [{ userId: 'u', action: 'a' }])

  const expected = ['ConsumerStalled error-logs', 'ConsumerStopped user-activities']
  await system.until(async () => (await firing()).length >= 2, { timeoutMs: 180_000, what: 'both fire' })
  t.strictSame((await firing()).sort(), expected)

  await lock`ROLLBACK`
  lock.release()
  await system.until(async () => (await firing()).length === 1, { timeoutMs: 60_000, what: 'one clears' })
  t.strictSame(await firing(), ['ConsumerStopped user-activities'])
})
