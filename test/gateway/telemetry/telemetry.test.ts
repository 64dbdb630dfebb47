import t from 'tap'
import { readGateway } from '../../../gateway/telemetry/read-gateway.ts'
import { createErrorEvents } from '../../../sdk/telemetry/error-events.ts'
import { buildApp, fakeProducer } from '../_support/build-app.ts'
import { until } from '../_support/open-request.ts'

t.test('a gateway sends its numbers and errors while it listens', async t => {
  const producer = fakeProducer()
  const source = 'gateway@web-1:3000'
  const errors = createErrorEvents({ service: 'gateway', source })
  const app = await buildApp(t, { producer, telemetry: { source, errors, intervalMs: 5 } })
  await app.sampler.sample()
  errors.add({ level: 'error', message: 'request failed', timeMs: 0, members: {} })

  await app.listen({ host: '127.0.0.1', port: 0 })
  await until(() => producer.appended.length > 0)
  await app.close()

  const sent = producer.appended.map(({ topic, record }) => ({ topic, event: JSON.parse(String(record.value)) }))
  const names = sent.filter(({ topic }) => topic === 'system-metrics').map(({ event }) => event.name)
  for (const name of ['process.cpu.usage', 'http.request.rate', 'topics.message.rate', 'topic.lag'])
    t.ok(names.includes(name), name)
  const told = sent.filter(({ topic }) => topic === 'error-logs').map(({ event }) => event)
  t.match(told, [{ service: 'gateway', level: 'error', message: 'request failed', context: { source } }])
  t.ok(producer.appended.every(({ record }) => record.headers['producer-id'] === 'smg-kafka-producer'))
})

t.test('a gateway that is told nothing of telemetry sends nothing', async t => {
  const producer = fakeProducer()
  const app = await buildApp(t, { producer })

  await app.listen({ host: '127.0.0.1', port: 0 })
  await app.inject('/health')

  t.strictSame(producer.appended, [])
})

t.test('reads the requests of the last minute, the lag of each topic, and the dead letters that wait', async t => {
  const waiting = (count: number) => ({ waiting: count, oldestSeconds: 0 })
  const deadLetters = new Map([
    ['orders', waiting(2)],
    ['payments', waiting(1)]
  ])

  const readings = readGateway({
    requests: { read: () => ({ rate: 12, meanMs: 3, p99Ms: 9, errorRatio: 0.5 }) },
    sampler: {
      rateOf: () => 100,
      snapshot: () => ({ topics: [{ topic: 'orders', lag: 41 }] as never, database: { deadLetters } as never })
    }
  })

  t.strictSame(readings, [
    { name: 'http.request.rate', value: 12, unit: 'per second' },
    { name: 'http.error.ratio', value: 0.5, unit: 'ratio' },
    { name: 'http.response.time', value: 9, unit: 'ms', labels: { percentile: '99' } },
    { name: 'topics.message.rate', value: 100, unit: 'per second' },
    { name: 'topic.lag', value: 41, unit: 'records', labels: { topic: 'orders' } },
    { name: 'dead-letters.waiting', value: 3, unit: 'records' }
  ])
})

t.test('leaves out what is not known yet', async t => {
  const readings = readGateway({
    requests: { read: () => ({ rate: 0, meanMs: null, p99Ms: null, errorRatio: 0 }) },
    sampler: {
      rateOf: () => 0,
      snapshot: () => ({ topics: [], database: { stats: null, outbox: null, deadLetters: null } })
    }
  })

  t.strictSame(
    readings.map(({ name }) => name),
    ['http.request.rate', 'http.error.ratio', 'topics.message.rate']
  )
})
