import t from 'tap'
import { buildApp, fakeQueries, functions } from '../../_support/build-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const since = '2026-01-31T12:00:00.000Z'
const error = {
  deadLetterId: '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b',
  stage: 'handle',
  name: 'Error',
  message: 'why',
  at: since
}
const queries = fakeQueries({
  functionStates: {
    all: async () => [
      { groupId: 'smg.notifications', topic: 'notifications', state: 'stopped', reason: 'flood', since },
      { groupId: 'other.error-logs', topic: 'error-logs', state: 'paused', reason: null, since }
    ],
    lastErrors: async () => [
      { ...error, topic: 'notifications', group: 'smg.notifications' },
      { ...error, topic: 'error-logs', group: 'other.error-logs' }
    ]
  }
})

t.test('GET /api/functions', async t => {
  const app = await buildApp(t, { queries })

  const response = await app.inject('/api/functions')
  const { items } = response.json()

  t.match(items, [
    {
      topic: 'error-logs',
      state: 'running',
      reason: null,
      since: null,
      lastErrors: [],
      rates: { written: 0, settled: 0, deadLetters: 0 }
    },
    {
      topic: 'notifications',
      group: 'smg.notifications',
      kind: 'rows',
      state: 'stopped',
      reason: 'flood',
      since,
      lastErrors: [error]
    },
    { topic: 'system-metrics' },
    { topic: 'user-activities', options: { maxAttempts: 3, partitions: 3, maxAgeMs: null } }
  ])
  t.strictSame(items[3].schema, JSON.parse(JSON.stringify(functions.get('user-activities')?.event)))
  isDocumented(t, app, response)
})

t.test('GET /api/functions/{topic}', async t => {
  const app = await buildApp(t, { queries })

  const found = await app.inject('/api/functions/notifications')
  const missing = await app.inject('/api/functions/nope')

  t.match(found.json(), { topic: 'notifications', state: 'stopped', lastErrors: [error] })
  t.match(missing.json(), { status: 404, code: 'SMG_GATEWAY_NO_TOPIC' })
  for (const response of [found, missing]) isDocumented(t, app, response)
})
