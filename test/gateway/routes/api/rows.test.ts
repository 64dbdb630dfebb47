import t from 'tap'
import { buildApp, fakeQueries } from '../../_support/build-app.ts'
import { isDocumented } from '../../_support/documented.ts'

// Four routes of one shape: they are tested together, and a list itself under messages.
const common = {
  id: '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b',
  timestamp: '2026-01-31T12:00:00.000Z',
  receivedAt: '2026-01-31T12:00:00.000Z'
}

const routes = [
  {
    path: 'user-activities',
    query: 'userId=u&action=a',
    wrong: 'userId=',
    room: 'userActivities',
    item: { userId: 'u', action: 'a', metadata: {} }
  },
  {
    path: 'metrics',
    query: 'source=s&name=n',
    wrong: 'value=1',
    room: 'systemMetrics',
    item: { source: 's', name: 'n', value: 0.5, unit: null, labels: {} }
  },
  {
    path: 'errors',
    query: 'service=s&level=fatal',
    wrong: 'level=bad',
    room: 'errorLogs',
    item: { service: 's', level: 'fatal', message: 'm', stack: null, context: {} }
  },
  {
    path: 'notifications',
    query: 'recipient=r&channel=sms',
    wrong: 'channel=pigeon',
    room: 'notifications',
    item: { recipient: 'r', channel: 'sms', title: null, message: 'm', metadata: {} }
  }
]

for (const { path, query, wrong, room, item } of routes) {
  t.test(`GET /api/${path}`, async t => {
    const asked: unknown[] = []
    const list = async (filters: unknown) => {
      asked.push(filters)
      return { items: JSON.stringify([{ ...common, ...item }]), next: null }
    }
    const app = await buildApp(t, { queries: fakeQueries({ rows: { [room]: list } }) })

    const response = await app.inject(`/api/${path}?${query}`)
    const refused = await app.inject(`/api/${path}?${wrong}`)

    t.strictSame(response.json(), { items: [{ ...common, ...item }], nextCursor: null })
    t.strictSame(asked, [Object.fromEntries(new URLSearchParams(query))])
    t.equal(refused.statusCode, 400)
    for (const one of [response, refused]) isDocumented(t, app, one)
  })
}
