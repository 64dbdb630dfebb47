import { pino } from 'pino'
import t from 'tap'
import type { AlertReport } from '../../../db/queries/alert-turns.ts'
import { createLogSink, createTopicSink } from '../../../gateway/alerts/sinks.ts'
import { createProduce } from '../../../gateway/produce.ts'
import {
  buildApp,
  fakeAlertTurns,
  fakeProducer,
  fakeQueries,
  functions,
  NOW_MS,
  settings
} from '../_support/build-app.ts'
import { until } from '../_support/open-request.ts'
import { startReceiver } from '../_support/webhook-receiver.ts'

const notice = {
  id: '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b',
  name: 'HighConsumerLag',
  severity: 'warning' as const,
  subject: 'user-activities',
  event: 'fired' as const,
  value: 12_345,
  threshold: 10_000,
  atMs: NOW_MS,
  episodeMs: NOW_MS,
  summary: 'Many records wait'
}
const never = new AbortController().signal

t.test('counts the answers of the API and the queries that found no PostgreSQL, and nothing else', async t => {
  const reports: AlertReport[] = []
  const away = async () => Promise.reject(Object.assign(new Error('away'), { code: 'CONNECTION_CLOSED' }))
  const app = await buildApp(t, {
    queries: fakeQueries({ functionStates: { all: away } }),
    alertTurns: {
      ...fakeAlertTurns,
      take: async (report, evaluate) => {
        reports.push(report)
        return fakeAlertTurns.take(report, evaluate)
      }
    }
  })

  for (const url of ['/api/functions', '/api/messages', '/health', '/metrics', '/nowhere']) await app.inject(url)
  await app.alerts.turn()

  const totals = [1, 2, 3].map(column => reports[0]?.counts.reduce((sum, slot) => sum + (slot[column] ?? 0), 0))
  t.strictSame(
    totals,
    [2, 1, 2],
    'two requests of the API, one of them 503; that query failed there and for the health'
  )
  t.strictSame(reports[0]?.sinks, ['log', 'notifications'])
})

t.test('lets another gateway lead before it closes', async t => {
  const left: string[] = []
  const app = await buildApp(t, {
    alertTurns: { ...fakeAlertTurns, leave: async instance => void left.push(instance) }
  })
  app.addHook('onClose', async () => void left.push('closed'))
  await app.alerts.turn()

  await app.close()

  t.match(left, [/^[0-9a-f-]{36}$/, 'closed'])
})

t.test('lets nobody wait for PostgreSQL who waits for something else when it closes', async t => {
  let answer: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    answer = resolve
  })
  let isLeft = false
  const app = await buildApp(t, {
    alertTurns: {
      ...fakeAlertTurns,
      async leave() {
        await held
        isLeft = true
      }
    }
  })
  await app.alerts.turn()

  const closed = app.close()
  // Turns of the event loop: the lease is waited for by the clock.
  for (let turn = 0; turn < 50 && !app.closing.aborted; turn += 1) await new Promise(setImmediate)
  t.ok(app.closing.aborted)
  t.notOk(isLeft)
  answer()
  await closed

  t.ok(isLeft, 'and yet the lease is given up before it is closed')
})

t.test('goes to the log, to the webhook and to the topic notifications', async t => {
  const receiver = await startReceiver(t)
  const producer = fakeProducer()
  const webhook = { url: receiver.url, secret: Buffer.alloc(32), allowsPrivate: true }
  const app = await buildApp(t, {
    producer,
    settings: { ...settings, alerts: { intervalMs: 50, webhook } },
    queries: fakeQueries({ stats: { outbox: async () => ({ waiting: 0, oldestSeconds: 0, refused: 3 }) } }),
    alertTurns: { ...fakeAlertTurns, take: async () => Promise.reject(new Error('away')) }
  })

  await app.listen({ port: 0, host: '127.0.0.1' })
  await until(() => receiver.received.length > 0 && producer.appended.length > 0)

  const [{ topic, record } = { topic: '', record: null }] = producer.appended
  t.equal(topic, 'notifications')
  t.equal(record?.headers.id, receiver.ids()[0])
  t.match(JSON.parse(String(record?.value)), {
    recipient: 'operators',
    channel: 'webhook',
    title: 'Firing: OutboxRefused'
  })
  t.equal(String(record?.key), 'operators')
})

t.test('shows in the metrics whether each alert fires', async t => {
  const app = await buildApp(t, {
    queries: fakeQueries({ stats: { outbox: async () => ({ waiting: 0, oldestSeconds: 0, refused: 3 }) } }),
    alertTurns: { ...fakeAlertTurns, take: async () => Promise.reject(new Error('away')) }
  })
  await app.sampler.sample()
  await app.alerts.turn()

  const { text } = await app.readMetrics()

  t.match(text, /^smg_alert_firing\{alert="OutboxRefused",severity="warning"\} 1$/m)
  t.match(text, /^smg_alert_firing\{alert="HighConsumerLag",severity="warning"\} 0$/m)
})

t.test('a notice is an event of the function notifications, under its own id', async t => {
  const producer = fakeProducer()
  const producing = createProduce({ producer, timeoutMs: 500, now: () => NOW_MS, onSent: () => undefined })
  const definition = functions.get('notifications')
  if (!definition) return t.fail('there is no such function')

  await createTopicSink(definition, producing).send(notice, never)

  const value = producer.appended[0]?.record.value as Buffer
  t.strictSame(definition.findFaults(definition.parseEvent(value)), null)
  t.equal(producer.appended[0]?.record.headers.id, notice.id)
})

t.test('a notice that the function does not take is given up, and one that Kafka does not take is not', async t => {
  const error = Object.assign(new Error('no'), { code: 'SMG_KAFKA_UNAVAILABLE' })
  const producer = fakeProducer({ append: async (_topic, records) => records.map(() => ({ error })) })
  const producing = createProduce({ producer, timeoutMs: 500, now: () => NOW_MS, onSent: () => undefined })
  const [known, other] = [functions.get('notifications'), functions.get('error-logs')]
  if (!known || !other) return t.fail('there are no such functions')

  await t.rejects(createTopicSink(known, producing).send(notice, never), {
    code: 'SMG_GATEWAY_KAFKA_AWAY',
    isFinal: undefined
  })
  await t.rejects(createTopicSink(other, producing).send(notice, never), {
    code: 'SMG_GATEWAY_INVALID',
    isFinal: true
  })
})

t.test('a notice is a line of the log, by its severity', async t => {
  const lines: { level: number; msg: string }[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const { send } = createLogSink(log)

  await send(notice, never)
  await send({ ...notice, severity: 'critical' }, never)
  await send({ ...notice, event: 'cleared' }, never)

  t.match(lines, [
    { level: 40, msg: 'Many records wait', alert: 'HighConsumerLag', notice: notice.id },
    { level: 50 },
    { level: 30 }
  ])
})
