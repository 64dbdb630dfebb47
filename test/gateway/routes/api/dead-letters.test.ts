import t from 'tap'
import { buildApp, fakeQueries } from '../../_support/build-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const id = '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const stored = {
  id,
  eventId: id,
  topic: 'notifications',
  group: 'smg.notifications',
  partition: 1,
  offset: '41',
  keyBase64: base64('k'),
  valueBase64: base64('{"a":1}'),
  headers: [
    ['x', base64('1')],
    ['x', null],
    ['y', '/w==']
  ] as const,
  timestamp: '2026-01-31T12:00:00.000Z',
  stage: 'validate',
  disposition: 'validation_failed',
  error: { name: 'Error', message: 'why', stack: null },
  attempts: 0,
  state: 'dead',
  createdAt: '2026-01-31T12:00:01.000Z',
  resolvedAt: null
}

const appOf = (t: Parameters<typeof buildApp>[0], valueBase64: string | null = stored.valueBase64) =>
  buildApp(t, {
    queries: fakeQueries({
      deadLetters: {
        list: async filters => ({ items: filters.topic === 'none' ? [] : [{ ...stored, valueBase64 }], next: null }),
        findById: async wanted => (wanted === id ? { ...stored, valueBase64 } : undefined)
      }
    })
  })

t.test('GET /api/dead-letters/{id}', async t => {
  t.test('gives it with what was promised, and nothing else', async t => {
    const app = await appOf(t)

    const response = await app.inject(`/api/dead-letters/${id}`)

    const { keyBase64, headers, ...rest } = stored
    t.strictSame(response.json(), { ...rest, key: 'k', value: { a: 1 }, headers: { x: ['1', null], y: 'base64:/w==' } })
    isDocumented(t, app, response)
  })

  const values = [
    { when: 'null', valueBase64: null, value: null },
    { when: 'empty', valueBase64: '', value: '' },
    { when: 'no JSON', valueBase64: base64('{'), value: '{' },
    { when: 'no UTF-8', valueBase64: '/w==', value: null },
    { when: 'what jsonb cannot hold', valueBase64: base64('"\\u0000\\ud800"'), value: '\u0000\ud800' }
  ]

  for (const { when, valueBase64, value } of values) {
    t.test(`shows a value that is ${when} as far as it can be read`, async t => {
      const app = await appOf(t, valueBase64)

      const response = await app.inject(`/api/dead-letters/${id}`)

      t.match(response.json(), { value, valueBase64 })
      isDocumented(t, app, response)
    })
  }

  t.test('answers 404 when there is none, and 400 to what is no id', async t => {
    const app = await appOf(t)

    t.match((await app.inject(`/api/dead-letters/${id.replace('019', '018')}`)).json(), {
      code: 'SMG_GATEWAY_NO_DEAD_LETTER'
    })
    t.match(await app.inject('/api/dead-letters/7'), { statusCode: 400 })
  })
})

t.test('GET /api/dead-letters', async t => {
  const app = await appOf(t)

  const full = await app.inject('/api/dead-letters?stage=validate&state=dead&disposition=validation_failed&error=Error')
  const empty = await app.inject('/api/dead-letters?topic=none')

  t.match(full.json(), { items: [{ id, value: { a: 1 } }], nextCursor: null })
  t.strictSame(empty.json(), { items: [], nextCursor: null })
  for (const response of [full, empty]) isDocumented(t, app, response)
  for (const wrong of ['stage=x', 'state=x', 'group=x']) {
    t.match(await app.inject(`/api/dead-letters?${wrong}`), { statusCode: 400 }, wrong)
  }
})

t.test('GET /api/dead-letters/groups', async t => {
  const place = { topic: 'a', group: 'smg.a', stage: 'handle', disposition: 'timed_out' }
  const group = { ...place, error: { name: 'Error', message: 'why' }, count: 2, dead: 1, sampleId: id }
  const asked: unknown[] = []
  const groups = async (...given: unknown[]) => {
    asked.push(given)
    return { items: [{ ...group, firstAt: stored.timestamp, lastAt: stored.createdAt }], isComplete: false }
  }
  const app = await buildApp(t, { queries: fakeQueries({ deadLetters: { groups } }) })
  const url = '/api/dead-letters/groups'

  const response = await app.inject(`${url}?topic=a&stage=handle&state=dead&from=2026-01-31T13:00:00%2B01:00&limit=7`)
  await app.inject(url)

  t.match(response.json(), { items: [group], isComplete: false })
  t.strictSame(asked, [
    [{ topic: 'a', stage: 'handle', state: 'dead', from: '2026-01-31T12:00:00Z' }, 7],
    [{}, 50]
  ])
  isDocumented(t, app, response)
  for (const wrong of ['limit=0', 'limit=501', 'from=yesterday', 'stage=x', 'error=Error']) {
    t.match(await app.inject(`${url}?${wrong}`), { statusCode: 400 }, wrong)
  }
})

t.test('GET /api/dead-letters/{id}/export', async t => {
  const app = await appOf(t)

  const response = await app.inject(`/api/dead-letters/${id}/export`)

  t.equal(response.headers['content-disposition'], `attachment; filename="dead-letter-${id}.json"`)
  const { keyBase64, valueBase64, headers, offset } = stored
  t.match(response.json(), { record: { keyBase64, valueBase64, headers, offset }, failure: { eventId: id } })
  isDocumented(t, app, response)
})
