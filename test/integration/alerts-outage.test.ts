import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startProcesses } from '../_support/processes.ts'
import { startOwnServers } from '../browser/_support/own-servers.ts'
import { startReceiver } from '../gateway/_support/webhook-receiver.ts'

t.setTimeout(400_000)

const GATEWAYS = ['gateway', 'gateway-2']

const { kafka, postgres } = await startOwnServers(t)
const receiver = await startReceiver(t)
const secretFile = join(t.testdir(), 'secret')
writeFileSync(secretFile, 'x'.repeat(32))
const system = await startProcesses(t, {
  environment: {
    ALERT_INTERVAL_MS: '1000',
    ALERT_WEBHOOK_URL: receiver.url,
    ALERT_WEBHOOK_PRIVATE: 'true',
    ALERT_WEBHOOK_SECRET_FILE: secretFile
  }
})
await system.startGateway('gateway-2')

interface Answer {
  readonly source: string
  readonly items: readonly { readonly name: string; readonly state: string }[]
}

async function ask(gateway: string): Promise<Answer> {
  const response = await fetch(`${system.urlOf(gateway)}/api/alerts`)
  if (response.status !== 200) throw new Error(`/api/alerts answers ${response.status}`)
  return (await response.json()) as Answer
}

const becomes = (name: string, state: string) =>
  system.until(
    async () => {
      const answers = await Promise.all(GATEWAYS.map(ask))
      return answers.every(({ items }) => items.find(item => item.name === name)?.state === state)
    },
    { timeoutMs: 90_000, what: `${name} is ${state} on both` }
  )

/** What the webhook was told of an alert: ids of notices by event. */
const told = (name: string) =>
  receiver.received
    .map(({ text }) => JSON.parse(text).data)
    .filter(data => data.name === name)
    .map(({ id, event, subject }) => ({ id, event, subject }))

t.test('a broker that stops is told of once, and once when it is back', async t => {
  await kafka.stop()
  await becomes('KafkaBrokerDown', 'firing')
  await kafka.start()
  await becomes('KafkaBrokerDown', 'ok')
  await system.until(() => told('KafkaBrokerDown').length === 2, { what: 'both are delivered' })

  t.match(told('KafkaBrokerDown'), [
    { event: 'fired', subject: /^broker \d+$/ },
    { event: 'cleared', subject: /^broker \d+$/ }
  ])
})

t.test('a PostgreSQL that stops is told of by every gateway with one id, and written down when it is back', async t => {
  await postgres.stop()
  await becomes('DatabaseConnectionFailure', 'firing')
  t.ok((await Promise.all(GATEWAYS.map(ask))).every(({ source }) => source === 'memory'))
  await system.until(() => told('DatabaseConnectionFailure').length >= 2, { what: 'both tell' })
  const ids = new Set(told('DatabaseConnectionFailure').map(({ id }) => id))
  // Two where the fault began on both sides of a full ten minutes.
  t.ok(ids.size <= 2)

  await postgres.start()
  await system.until(async () => (await Promise.all(GATEWAYS.map(ask))).every(({ source }) => source === 'database'), {
    timeoutMs: 60_000,
    what: 'both evaluate with PostgreSQL again'
  })
  const { sql } = system
  const written = () => sql`SELECT id::text AS id FROM alert_notices WHERE name = 'DatabaseConnectionFailure'`
  await system.until(async () => (await written()).length === ids.size, { what: 'it is written down' })
  t.strictSame(new Set((await written()).map(({ id }) => id)), ids)
  const rows = () =>
    sql`SELECT id::text AS id FROM notifications WHERE metadata ->> 'alert' = 'DatabaseConnectionFailure'`
  await system.until(async () => (await rows()).length === ids.size, {
    what: 'it is a notification',
    timeoutMs: 60_000
  })
})
