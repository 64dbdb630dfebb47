import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startProcesses } from '../_support/processes.ts'
import { startReceiver } from '../gateway/_support/webhook-receiver.ts'

interface Subject {
  readonly subject: string | null
  readonly state: string
}

const receiver = await startReceiver(t)
const secretFile = join(t.testdir(), 'secret')
writeFileSync(secretFile, 'x'.repeat(32))
const system = await startProcesses(t, {
  environment: {
    ALERT_INTERVAL_MS: '500',
    ALERT_WEBHOOK_URL: receiver.url,
    ALERT_WEBHOOK_PRIVATE: 'true',
    ALERT_WEBHOOK_SECRET_FILE: secretFile
  }
})
await system.startGateway('gateway-2')
const { sql } = system

const activities = (count: number, action: string) =>
  Array.from({ length: count }, (_, index) => ({ userId: `u${index % 50}`, action }))

async function stateOf(name: string, subject: string | null, gateway = 'gateway-2') {
  const response = await fetch(`${system.urlOf(gateway)}/api/alerts`)
  const { items } = (await response.json()) as { items: { name: string; subjects: Subject[] }[] }
  return items.find(item => item.name === name)?.subjects.find(one => one.subject === subject)?.state ?? 'ok'
}

// Seldom: each look is a request that succeeds, and counts where the share of those that fail does.
const LOOK_MS = 500
const becomes = (name: string, subject: string | null, state: string, timeoutMs = 20_000) =>
  system.until(
    async () => {
      await sleep(LOOK_MS)
      return (await stateOf(name, subject)) === state
    },
    { timeoutMs, what: `${name} is ${state}` }
  )

/** What the webhook was told of an alert. */
const told = (name: string) =>
  receiver.received
    .map(({ text }) => JSON.parse(text))
    .filter(({ data }) => data.name === name)
    .map(({ data }) => `${data.event} ${data.subject}`)

t.test('a missing table stops its function: it is told once, and once when the table is back', async t => {
  await sql`ALTER TABLE user_activities RENAME TO elsewhere`
  await system.produce('user-activities', activities(10, 'stopped'))

  await becomes('FunctionStopped', 'user-activities', 'firing')
  await sql`ALTER TABLE elsewhere RENAME TO user_activities`
  await becomes('FunctionStopped', 'user-activities', 'ok', 60_000)
  await system.until(() => told('FunctionStopped').length === 2, { what: 'both are delivered' })

  t.strictSame(told('FunctionStopped'), ['fired user-activities', 'cleared user-activities'])
})

t.test('records that die raise the rate of dead letters', async t => {
  await sql`ALTER TABLE user_activities ADD CONSTRAINT no_poison CHECK (action <> 'poison')`

  await system.produce('user-activities', [...activities(20, 'poison'), ...activities(80, 'good')])

  await becomes('DeadLetterRate', 'user-activities', 'firing')
  await system.until(() => told('DeadLetterRate').length > 0, { what: 'it is delivered' })
  t.strictSame(told('DeadLetterRate'), ['fired user-activities'])
})

t.test('requests that fail raise the error rate, on whichever gateway they fail', async t => {
  await sql`ALTER TABLE system_metrics RENAME TO elsewhere`
  for (let index = 0; index < 60; index += 1) {
    const response = await fetch(`${system.urlOf(index % 2 === 0 ? 'gateway' : 'gateway-2')}/api/metrics`)
    t.equal(response.status, 500)
    await response.text()
  }
  await sql`ALTER TABLE elsewhere RENAME TO system_metrics`

  await becomes('HighAPIErrorRate', null, 'firing')
})

t.test('a lag of more than 10,000 records is told after half a minute, and cleared when it is drained', async t => {
  const post = (verb: string) => fetch(`${system.gatewayUrl}/api/functions/error-logs/${verb}`, { method: 'POST' })
  t.equal((await post('pause')).status, 202)
  await system.until(
    async () => (await (await fetch(`${system.urlOf('runner-0')}/health`)).text()).includes('"paused"'),
    {
      what: 'the runner holds it up'
    }
  )
  const event = { service: 'test', level: 'warn', message: 'many' }
  await system.produce(
    'error-logs',
    Array.from({ length: 10_500 }, () => event)
  )

  await becomes('HighConsumerLag', 'error-logs', 'pending')
  await becomes('HighConsumerLag', 'error-logs', 'firing', 60_000)
  t.equal(await stateOf('ConsumerStalled', 'error-logs'), 'ok')
  t.equal((await post('resume')).status, 202)
  await becomes('HighConsumerLag', 'error-logs', 'ok', 60_000)
  await system.until(() => told('HighConsumerLag').length === 2, { what: 'both are delivered' })

  t.strictSame(told('HighConsumerLag'), ['fired error-logs', 'cleared error-logs'])
})

t.test('a gateway that is killed is followed by the other, which tells nothing twice', async t => {
  const pending = () => sql`SELECT FROM alert_deliveries WHERE state = 'pending'`
  await system.until(async () => (await pending()).length === 0, { what: 'all are delivered' })
  await system.kill('gateway', 'SIGKILL')
  const before = Date.now()
  await system.until(
    async () => {
      const response = await fetch(`${system.urlOf('gateway-2')}/api/alerts`)
      const { evaluatedAt, source } = (await response.json()) as { evaluatedAt: string; source: string }
      return source === 'database' && Date.parse(evaluatedAt) > before + 2_000
    },
    { what: 'the other evaluates' }
  )

  await system.startGateway('gateway')
  t.equal(new Set(receiver.ids()).size, receiver.ids().length)
  const notices = await sql`SELECT id::text AS id FROM alert_notices`
  t.strictSame(receiver.ids().toSorted(), notices.map(({ id }) => id).toSorted())
  const kept = async () => sql`SELECT id::text AS id FROM notifications WHERE recipient = 'operators'`
  await system.until(async () => (await kept()).length === notices.length, { what: 'each is a row of notifications' })
  t.strictSame((await kept()).map(({ id }) => id).toSorted(), receiver.ids().toSorted())
})
