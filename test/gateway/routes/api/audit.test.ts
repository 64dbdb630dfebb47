import t from 'tap'
import { buildDatabaseApp, insertDead } from '../../_support/database-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const { app, sql } = await buildDatabaseApp(t)
const topic = 'user-activities'
const post = (url: string, requestId = 'r1', payload?: object) =>
  app.inject({ method: 'POST', url, headers: { 'x-request-id': requestId }, ...(payload && { payload }) })
const list = async (query = '') => app.inject(`/api/audit${query}`)

t.beforeEach(() => sql`TRUNCATE audit, function_states, dead_letters`.then())

t.test('GET /api/audit', async t => {
  t.test('lists what operators did, newest first, with the request that did it', async t => {
    await post(`/api/functions/${topic}/pause`, 'first')
    await post(`/api/functions/${topic}/resume`, 'second')

    const response = await list()

    const shared = { operator: null, topic, id: /^[0-9a-f-]{36}$/, at: /Z$/ }
    const was = { was: 'paused', reason: 'paused by an operator' }
    t.match(response.json(), {
      items: [
        { ...shared, action: 'resume', requestId: 'second', details: was },
        { ...shared, action: 'pause', requestId: 'first', details: {} }
      ],
      nextCursor: null
    })
    isDocumented(t, app, response)
  })

  t.test('has none of what changed nothing', async t => {
    await post(`/api/functions/${topic}/resume`)
    await post(`/api/functions/${topic}/pause`)
    await post(`/api/functions/${topic}/pause`)

    t.strictSame(
      (await list()).json().items.map(({ action }: { action: string }) => action),
      ['pause']
    )
  })

  t.test('has each action on dead letters, many of them as one', async t => {
    const ids = await Promise.all(['a', 'b', 'c', 'd'].map(key => insertDead(sql, { key })))
    const [first, second] = ids

    await post(`/api/dead-letters/${first}/redrive`)
    await app.inject({ method: 'DELETE', url: `/api/dead-letters/${second}` })
    await post('/api/dead-letters/redrive', 'r3', { filter: { topic }, dryRun: true })
    await post('/api/dead-letters/redrive', 'r4', { filter: { topic } })

    const many = { filter: { topic }, limit: 1_000, overtake: false, redriven: 2, skipped: 0 }
    t.match((await list()).json().items, [
      { action: 'redrive_many', topic, requestId: 'r4', details: many },
      { action: 'discard', topic, details: { id: second } },
      { action: 'redrive', topic, details: { id: first, isEdited: false } }
    ])
  })

  t.test('filters and pages', async t => {
    await sql`INSERT INTO audit (id, at, operator, action, topic, details)
      SELECT gen_random_uuid(), '2026-01-31T12:00:00Z'::timestamptz + n * interval '1 hour',
        CASE WHEN n < 3 THEN 'ada' END, CASE n WHEN 1 THEN 'pause' ELSE 'discard' END, CASE n WHEN 2 THEN 'a' ELSE 'b' END, '{}'
      FROM generate_series(1, 4) AS n`
    const hours = async (query: string) =>
      (await list(query)).json().items.map(({ at }: { at: string }) => Number(at.slice(11, 13)) - 12)

    t.strictSame(await hours('?action=discard'), [4, 3, 2])
    t.strictSame(await hours('?operator=ada'), [2, 1])
    t.strictSame(await hours('?topic=a'), [2])
    t.strictSame(await hours('?from=2026-01-31T14:00:00Z&to=2026-01-31T16:00:00Z'), [3, 2])
    const page = (await list('?limit=3')).json()
    t.strictSame(await hours(`?limit=3&cursor=${page.nextCursor}`), [1])
    for (const wrong of ['?action=x', '?cursor=x', '?state=x']) t.match(await list(wrong), { statusCode: 400 }, wrong)
  })
})
