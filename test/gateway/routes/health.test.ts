import t from 'tap'
import type { GatewayDependencies } from '../../../gateway/types.ts'
import { until } from '../../_support/kafka.ts'
import { setClock } from '../../_support/set-clock.ts'
import { buildApp, fakeCluster, fakeProducer, fakeQueries } from '../_support/build-app.ts'
import { isDocumented } from '../_support/documented.ts'

const away = async () => Promise.reject(new Error('10.0.0.7 does not answer'))
const hang = () => new Promise<never>(() => undefined)
const stopped = { groupId: 'smg.a', topic: 'a', state: 'stopped', reason: 'flood', since: '' } as const
const running = { ...stopped, topic: 'b', state: 'running' } as const
const ok = { kafka: 'ok', database: 'ok', functions: 'ok' }

interface Case {
  readonly when: string
  readonly overrides: Partial<GatewayDependencies>
  readonly code: number
  readonly status: string
  readonly checks: object
}

const cases: Case[] = [
  { when: 'all is well', overrides: {}, code: 200, status: 'ok', checks: ok },
  {
    when: 'PostgreSQL is away',
    overrides: { queries: fakeQueries({ functionStates: { all: away } }) },
    code: 200,
    status: 'degraded',
    checks: { ...ok, database: 'down' }
  },
  {
    when: 'PostgreSQL hangs',
    overrides: { queries: fakeQueries({ functionStates: { all: hang } }) },
    code: 200,
    status: 'degraded',
    checks: { ...ok, database: 'down' }
  },
  {
    when: 'Kafka is away',
    overrides: { cluster: fakeCluster({ brokers: away }) },
    code: 503,
    status: 'down',
    checks: { ...ok, kafka: 'down' }
  },
  {
    when: 'Kafka hangs',
    overrides: { cluster: fakeCluster({ brokers: hang }) },
    code: 503,
    status: 'down',
    checks: { ...ok, kafka: 'down' }
  },
  {
    when: 'the producer fails',
    overrides: { producer: fakeProducer({ isHealthy: () => false }) },
    code: 200,
    status: 'degraded',
    checks: { ...ok, kafka: 'degraded' }
  },
  {
    when: 'a function is stopped',
    overrides: { queries: fakeQueries({ functionStates: { all: async () => [stopped, running] } }) },
    code: 200,
    status: 'degraded',
    checks: { ...ok, functions: 'degraded' }
  }
]

t.test('GET /health', async t => {
  for (const { when, overrides, code, status, checks } of cases) {
    t.test(`says ${status} when ${when}`, async t => {
      const app = await buildApp(t, overrides)
      await app.ready()
      const startedMs = performance.now()

      const response = await app.inject('/health')

      t.ok(performance.now() - startedMs < 10_000, 'what hangs does so for ever')
      t.equal(response.statusCode, code)
      t.strictSame(response.json(), { status, checks }, 'states only')
      isDocumented(t, app, response)
    })
  }

  t.test('asks Kafka and PostgreSQL once a second at most', async t => {
    const brokers = t.captureFn(async () => [1])
    const app = await buildApp(t, { cluster: fakeCluster({ brokers }) })

    await Promise.all(Array.from({ length: 20 }, () => app.inject('/health')))

    t.equal(brokers.calls.length, 1)
  })
})

t.test('GET /health is not of an hour ago when the clock was set back', { timeout: 10_000 }, async t => {
  const moveClock = setClock(t)
  const brokers = t.captureFn(async () => [1])
  const app = await buildApp(t, { cluster: fakeCluster({ brokers }), now: Date.now })
  await app.inject('/health')
  moveClock(-3_600_000)

  await until(async () => {
    await app.inject('/health')
    return brokers.calls.length > 1
  }, 3_000)
})

t.test('GET /health/ready', async t => {
  const app = await buildApp(t)
  const before = await app.inject('/health/ready')
  app.startClosing()
  const after = await app.inject('/health/ready')

  t.match([before.statusCode, after.statusCode], [200, 503])
  t.match(await app.inject('/health/live'), { statusCode: 200 }, 'it lives while it closes')
  for (const response of [before, after]) isDocumented(t, app, response)
})
