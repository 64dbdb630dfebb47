import t from 'tap'
import type { Filters, PageRequest } from '../../../../db/queries/list.ts'
import { buildApp, fakeQueries } from '../../_support/build-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const id = '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b'
const storedMessage = {
  id,
  topic: 'greetings',
  partition: 1,
  offset: '41',
  key: null,
  value: { name: 'Ada' },
  headers: { id, twice: ['a', 'b'] },
  timestamp: '2026-01-31T12:00:00.000Z',
  receivedAt: '2026-01-31T12:00:00.123456Z'
}
const place = { time: '2026-01-31T12:00:00.123456', id, topic: 'greetings' }

t.test('GET /api/messages', async t => {
  const asked: [Filters, PageRequest][] = []
  const list = async (...question: [Filters, PageRequest]) => {
    asked.push(question)
    return { items: JSON.stringify([storedMessage]), next: asked.length === 1 ? place : null }
  }
  const app = await buildApp(t, { queries: fakeQueries({ messages: { list } }) })
  t.beforeEach(() => {
    asked.length = 0
  })

  t.test('gives pages, whose cursor asks for the next', async t => {
    const first = await app.inject('/api/messages')
    const { nextCursor } = first.json()
    const second = await app.inject(`/api/messages?cursor=${nextCursor}`)

    t.match(first.headers['content-type'], /^application\/json/)
    t.strictSame(first.json().items, [storedMessage])
    t.match(nextCursor, /^[A-Za-z0-9_-]+$/)
    t.equal(second.json().nextCursor, null)
    t.strictSame(
      asked.map(([, page]) => page),
      [
        { limit: 50, after: null },
        { limit: 50, after: place }
      ]
    )
    for (const response of [first, second]) isDocumented(t, app, response)
  })

  t.test('hands its filters on, times in UTC', async t => {
    const from = encodeURIComponent('2026-01-31t13:00:00.1234567+01:00')
    await app.inject(`/api/messages?topic=a&key=b%20c&partition=2&from=${from}&to=2026-02-01T00:00:00Z&limit=500`)

    t.strictSame(asked, [
      [
        { topic: 'a', key: 'b c', partition: 2, from: '2026-01-31T12:00:00.123456Z', to: '2026-02-01T00:00:00Z' },
        { limit: 500, after: null }
      ]
    ])
  })

  const wrong = [
    ['limit=0', '/limit'],
    ['limit=501', '/limit'],
    ['limit=x', '/limit'],
    ['limit=', '/limit'],
    ['limit=1.5', '/limit'],
    ['limit=0x10', '/limit'],
    ['limit=%201', '/limit'],
    ['limit=1&limit=2', '/limit'],
    ['partition=-1', '/partition'],
    ['partition=2147483648', '/partition'],
    ['topic=', '/topic'],
    ['topic=a&topic=b', '/topic'],
    ['key=%00', '/key'],
    ['from=yesterday', '/from'],
    ['from=2026-01-31', '/from'],
    ['from=2026-01-31T12:00:00', '/from'],
    ['from=2026-02-30T12:00:00Z', '/from'],
    ['from=2026-01-31T25:00:00Z', '/from'],
    ['from=2026-01-31T12:00:00%2B99:00', '/from'],
    ['from=0000-01-01T00:00:00Z', '/from'],
    ['to=0001-01-01T00:00:00%2B01:00', '/to'],
    ['to=9999-12-31T23:59:59-01:00', '/to'],
    ['__proto__=1', '/__proto__'],
    ['sort=id', '/sort'],
    ['cursor=', '/cursor'],
    ['cursor=x', '/cursor'],
    ['cursor=null', '/cursor'],
    [`cursor=${'A'.repeat(513)}`, '/cursor']
  ]

  for (const [query, path] of wrong) {
    t.test(`answers 400 to ?${query?.slice(0, 60)}`, async t => {
      const response = await app.inject(`/api/messages?${query}`)

      t.match(response.json(), { status: 400, code: 'SMG_GATEWAY_INVALID', errors: [{ path }] })
      t.strictSame(asked, [], 'PostgreSQL is not asked')
      isDocumented(t, app, response)
    })
  }

  const forged = [
    ['2026-02-30T12:00:00', id, 'a'],
    ['2026-01-31T12:00:00Z', id, 'a'],
    ["2026-01-31T12:00:00' OR 1=1", id, 'a'],
    ['0000-01-31T12:00:00', id, 'a'],
    ['2026-01-31T12:00:00', '7', 'a'],
    ['2026-01-31T12:00:00', id.toUpperCase(), 'a'],
    ['2026-01-31T12:00:00', id, '\u0000'],
    ['2026-01-31T12:00:00', id],
    ['2026-01-31T12:00:00', id, 'a', 'b'],
    [1, id, 'a'],
    {}
  ]

  for (const parts of forged) {
    t.test(`answers 400 to the forged cursor ${JSON.stringify(parts)}`, async t => {
      const cursor = Buffer.from(JSON.stringify(parts)).toString('base64url')

      t.match((await app.inject(`/api/messages?cursor=${cursor}`)).json(), { errors: [{ path: '/cursor' }] })
      t.strictSame(asked, [])
    })
  }

  t.test('answers 400 to a second spelling of a good cursor', async t => {
    const cursor = Buffer.from(`${JSON.stringify([place.time, place.id, place.topic])} `).toString('base64url')

    t.match(await app.inject(`/api/messages?cursor=${cursor}`), { statusCode: 400 })
  })
})

t.test('GET /api/messages/{id}', async t => {
  const asked: unknown[] = []
  const findById = async (wanted: string, options: unknown) => {
    asked.push(options)
    return wanted === id ? JSON.stringify(storedMessage) : undefined
  }
  const app = await buildApp(t, { queries: fakeQueries({ messages: { findById } }) })

  t.test('gives the message, its offset as a string', async t => {
    const response = await app.inject(`/api/messages/${id}?topic=greetings`)

    t.strictSame(response.json(), storedMessage)
    t.strictSame(asked, [{ topic: 'greetings' }])
    isDocumented(t, app, response)
  })

  t.test('answers 404 when nothing of that id is settled', async t => {
    const response = await app.inject(`/api/messages/${id.replace('019', '018')}`)

    t.match(response.json(), { status: 404, code: 'SMG_GATEWAY_NO_MESSAGE' })
    isDocumented(t, app, response)
  })

  t.test('answers a problem when the id is no UUID', async t => {
    t.match((await app.inject('/api/messages/7')).json(), { status: 400, errors: [{ path: '/id' }] })
  })

  t.test('answers 414 when the id is endless', async t => {
    const response = await app.inject(`/api/messages/${'x'.repeat(300)}`)

    t.match(response.json(), { status: 414, code: 'SMG_GATEWAY_URL_TOO_LONG' })
    isDocumented(t, app, response)
  })
})
