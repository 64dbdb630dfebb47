import t, { type Test } from 'tap'
import { loadFunctions } from '../../../sdk/load-functions.ts'
import { createErrorEvents } from '../../../sdk/telemetry/error-events.ts'
import { createTelemetry } from '../../../sdk/telemetry/telemetry.ts'

const functions = await loadFunctions(new URL('../../../functions', import.meta.url).pathname, { retentionHours: 1 })
const line = { level: 'error', message: 'failed', timeMs: 0, members: {} } as const

type Dependencies = Parameters<typeof createTelemetry>[0]
interface Sent {
  readonly topic: string
  readonly events: readonly object[]
  readonly signal: AbortSignal
}

/** Telemetry whose events are kept. */
function openTelemetry(t: Test, overrides: Partial<Dependencies> = {}) {
  const sent: Sent[] = []
  const errors = createErrorEvents({ service: 'gateway', source: 'gateway@web-1:3000' })
  const telemetry = createTelemetry({
    functions,
    source: 'gateway@web-1:3000',
    readOwn: () => [{ name: 'http.request.rate', value: 7, unit: 'per second' }],
    errors,
    send: async ({ topic }, events, signal) => void sent.push({ topic, events, signal }),
    isHealthy: () => true,
    intervalMs: 60_000,
    ...overrides
  })
  telemetry.start()
  t.teardown(telemetry.stop)
  return { telemetry, errors, sent }
}

t.test('sends the numbers of the process, its host and its part, in events that their function takes', async t => {
  const { telemetry, errors, sent } = openTelemetry(t)
  errors.add(line)

  await telemetry.report()

  t.strictSame(
    sent.map(({ topic }) => topic),
    ['system-metrics', 'error-logs']
  )
  const events = sent[0]?.events as { source: string; name: string; value: number }[]
  t.strictSame(new Set(events.map(({ source }) => source)), new Set(['gateway@web-1:3000']))
  t.strictSame(
    events.map(({ name }) => name),
    [
      'process.cpu.usage',
      'process.memory',
      'process.event-loop.delay',
      'host.cpu.usage',
      'host.memory.usage',
      'host.disk.usage',
      'log.errors',
      'http.request.rate'
    ]
  )
  for (const { name, value } of events) t.ok(Number.isFinite(value) && value >= 0, `${name} is ${value}`)
  t.match(events.slice(-2), [{ value: 1 }, { value: 7 }])
  t.match(sent[1]?.events, [{ service: 'gateway', message: 'failed' }])
})

t.test('sends no errors where there are none', async t => {
  const { telemetry, sent } = openTelemetry(t)

  await telemetry.report()

  t.strictSame(
    sent.map(({ topic }) => topic),
    ['system-metrics']
  )
})

const without = [
  { when: 'there is no system-metrics', topics: ['error-logs'], sends: ['error-logs'] },
  { when: 'there is no error-logs', topics: ['system-metrics'], sends: ['system-metrics'] },
  { when: 'there are neither', topics: ['notifications'], sends: [] }
]
for (const { when, topics, sends } of without) {
  t.test(`leaves out what has no function: ${when}`, async t => {
    const some = new Map([...functions].filter(([topic]) => topics.includes(topic)))
    const { telemetry, errors, sent } = openTelemetry(t, { functions: some })
    errors.add(line)

    await telemetry.report()

    t.strictSame(
      sent.map(({ topic }) => topic),
      sends
    )
  })
}

t.test('leaves out what the function of that name does not take', async t => {
  const notifications = functions.get('notifications')
  t.ok(notifications)
  const others = new Map([...functions].map(([topic]) => [topic, notifications as never]))
  const { telemetry, sent } = openTelemetry(t, { functions: others })

  await telemetry.report()

  t.strictSame(sent, [])
})

t.test('drops its numbers while nothing can be sent, and keeps the errors for later', async t => {
  let isHealthy = false
  const { telemetry, errors, sent } = openTelemetry(t, { isHealthy: () => isHealthy })
  errors.add(line)
  await telemetry.report()
  t.strictSame(sent, [])

  isHealthy = true
  await telemetry.report()

  t.match(sent, [{ topic: 'system-metrics' }, { topic: 'error-logs', events: [{ message: 'failed' }] }])
})

const failures = [
  { when: 'a send rejects', overrides: { send: () => Promise.reject(new Error('away')) } },
  {
    when: 'a number cannot be read',
    overrides: {
      readOwn: () => {
        throw new Error('away')
      }
    }
  }
]
for (const { when, overrides } of failures) {
  t.test(`goes on when ${when}`, async t => {
    const { telemetry } = openTelemetry(t, overrides)

    await t.resolves(telemetry.report())
    await t.resolves(telemetry.report())
  })
}

t.test('makes one report at a time, and withdraws it when it stops', async t => {
  const signals: AbortSignal[] = []
  let free = () => {}
  const { telemetry } = openTelemetry(t, {
    send: (_definition, _events, signal) =>
      new Promise<void>(resolve => {
        signals.push(signal)
        free = resolve
      })
  })
  const first = telemetry.report()
  while (signals.length === 0) await new Promise(setImmediate)

  await telemetry.report()
  t.equal(signals.length, 1, 'the second did nothing')
  telemetry.stop()
  t.equal(signals[0]?.aborted, true)
  free()
  await first
})

t.test('reports again and again, and never with an interval of 0', async t => {
  const always = openTelemetry(t, { intervalMs: 1 })
  const never = openTelemetry(t, { intervalMs: 0 })

  while (always.sent.length < 3) await new Promise(resolve => setTimeout(resolve, 1))

  t.strictSame(never.sent, [])
  await never.telemetry.report()
  t.match(never.sent[0]?.events, [{ name: 'log.errors' }, { name: 'http.request.rate' }], 'nothing is measured')
})
