import t from 'tap'
import { alertRules } from '../../../../gateway/alerts/rules.ts'
import { buildApp, fakeAlertTurns, fakeQueries, NOW_MS } from '../../_support/build-app.ts'
import { buildDatabaseApp } from '../../_support/database-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const known = { name: 'HighConsumerLag', episodeMs: null }
const stored = {
  evaluatedAtMs: NOW_MS,
  states: [
    { ...known, subject: 'a', state: 'ok', value: 7, sinceMs: null },
    { ...known, subject: 'b', state: 'firing', value: 12_000, sinceMs: NOW_MS - 60_000 },
    { ...known, subject: 'c', state: 'firing', value: 11_000, sinceMs: NOW_MS - 90_000 },
    { ...known, subject: 'd', state: 'pending', value: 90_000, sinceMs: NOW_MS - 5_000 }
  ] as const
}

t.test('GET /api/alerts', async t => {
  t.test('gives every rule; its worst subjects speak for it', async t => {
    const app = await buildApp(t, {
      queries: fakeQueries({ alerts: { states: async () => ({ ...stored, states: [...stored.states] }) } })
    })

    const response = await app.inject('/api/alerts')
    const { items, ...rest } = response.json()

    t.strictSame(rest, { evaluatedAt: '2026-01-31T12:00:00.000Z', source: 'database' })
    t.strictSame(
      items.map(({ name }: { name: string }) => name),
      alertRules.map(({ name }) => name)
    )
    t.match(items[0], {
      name: 'HighConsumerLag',
      severity: 'warning',
      state: 'firing',
      value: 12_000,
      threshold: 10_000,
      unit: 'records',
      since: '2026-01-31T11:58:30.000Z',
      forSeconds: 30,
      action: alertRules[0]?.action
    })
    t.match(items[0].subjects, [
      { subject: 'b', state: 'firing', since: '2026-01-31T11:59:00.000Z' },
      { subject: 'c', state: 'firing' },
      { subject: 'd', state: 'pending', value: 90_000 },
      { subject: 'a', state: 'ok', value: 7, since: null }
    ])
    t.match(items[1], { state: 'ok', value: null, since: null, subjects: [] })
    isDocumented(t, app, response)
  })

  t.test('answers from memory while PostgreSQL is away', async t => {
    const away = async () => Promise.reject(new Error('away'))
    const app = await buildApp(t, {
      queries: fakeQueries({
        alerts: { states: away },
        stats: { outbox: async () => ({ waiting: 0, oldestSeconds: 0, refused: 3 }) }
      }),
      alertTurns: { ...fakeAlertTurns, take: away }
    })
    await app.sampler.sample()
    await app.alerts.turn()

    const response = await app.inject('/api/alerts')

    const { items, ...rest } = response.json()
    t.strictSame(rest, { evaluatedAt: '2026-01-31T12:00:00.000Z', source: 'memory' })
    t.match(
      items.find(({ name }: { name: string }) => name === 'OutboxRefused'),
      { state: 'firing', value: 3 }
    )
    isDocumented(t, app, response)
  })
})

t.test('GET /api/alerts/history lists notices, newest first', async t => {
  const { app, sql } = await buildDatabaseApp(t)
  await sql`INSERT INTO alert_notices (id, name, severity, subject, event, value, threshold, at, episode, summary) VALUES
    ('019c1a2b-3c4d-7e5f-8a6b-000000000001', 'HighConsumerLag', 'warning', 'a', 'fired', 12000, 10000, '2026-01-31T12:00:00Z', now(), 'x'),
    ('019c1a2b-3c4d-7e5f-8a6b-000000000002', 'HighConsumerLag', 'warning', 'a', 'cleared', null, 10000, '2026-01-31T12:01:00Z', now(), 'y')`
  await sql`INSERT INTO alert_deliveries (notice_id, sink, state, attempts, at) VALUES
    ('019c1a2b-3c4d-7e5f-8a6b-000000000001', 'log', 'delivered', 1, '2026-01-31T12:00:01Z'),
    ('019c1a2b-3c4d-7e5f-8a6b-000000000001', 'webhook', 'pending', 0, null)`

  const response = await app.inject('/api/alerts/history?name=HighConsumerLag&limit=1')
  const { items, nextCursor } = response.json()
  const next = await app.inject(`/api/alerts/history?cursor=${nextCursor}`)

  t.match(items, [{ event: 'cleared', value: null, at: '2026-01-31T12:01:00.000Z', deliveries: [] }])
  t.match(next.json(), {
    nextCursor: null,
    items: [
      {
        event: 'fired',
        value: 12_000,
        deliveries: [
          { sink: 'log', state: 'delivered', attempts: 1, at: '2026-01-31T12:00:01.000Z' },
          { sink: 'webhook', state: 'pending', attempts: 0, at: null }
        ]
      }
    ]
  })
  for (const one of [response, next]) isDocumented(t, app, one)
  t.equal((await app.inject('/api/alerts/history?severity=bad')).statusCode, 400)
})
