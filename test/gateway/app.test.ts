import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { gatewayErrors } from '../../gateway/errors.ts'
import { buildApp, fakeQueries } from './_support/build-app.ts'
import { isDocumented } from './_support/documented.ts'

t.test('every answer', async t => {
  const app = await buildApp(t)

  for (const url of ['/health/live', '/nowhere', '/api/messages/7', '/docs', '/openapi.json']) {
    const { headers } = await app.inject(url)
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'content-security-policy': /default-src 'none'/,
      'x-request-id': /./
    })
  }
})

const lost = [
  { method: 'GET', url: '/index.html', status: 404, allow: undefined },
  { method: 'GET', url: '/api', status: 404, allow: undefined },
  { method: 'GET', url: '/api/messages/a/b', status: 404, allow: undefined },
  { method: 'POST', url: '/nowhere', status: 404, allow: undefined },
  { method: 'POST', url: '/api/messages', status: 405, allow: 'GET, HEAD' },
  { method: 'DELETE', url: '/api/messages/7', status: 405, allow: 'GET, HEAD' },
  { method: 'OPTIONS', url: '/health', status: 405, allow: 'GET, HEAD' },
  { method: 'GET', url: '/api/produce/user-activities', status: 405, allow: 'POST' },
  { method: 'PUT', url: '/api/produce/user-activities/batch?x=1', status: 405, allow: 'POST' }
] as const

t.test('a path or method that is not there', async t => {
  const app = await buildApp(t)
  // Of another type and too large: neither counts where nothing is.
  const headers = { 'content-type': 'text/plain' }

  for (const { method, url, status, allow } of lost) {
    const payload = method === 'GET' ? '' : 'x'.repeat(2_000_000)
    const response = await app.inject({ method, url, headers, payload })
    t.match(response.json(), { status, instance: url }, `${method} ${url}`)
    t.equal(response.headers.allow, allow, `${method} ${url}`)
    t.match(response.headers['content-type'], /^application\/problem\+json/)
  }
})

t.test('HEAD is there where GET is, without a body', async t => {
  const app = await buildApp(t)

  for (const url of ['/api/messages', '/health', '/metrics', '/openapi.json', '/api/messages/7']) {
    const get = await app.inject({ method: 'GET', url })
    const head = await app.inject({ method: 'HEAD', url })
    t.equal(head.statusCode, get.statusCode, url)
    t.equal(head.body, '', url)
    t.equal(head.headers['content-type'], get.headers['content-type'], url)
  }
})

t.test('a query parameter that no route knows', async t => {
  const app = await buildApp(t)
  await app.ready()
  const paths = Object.entries(app.swagger().paths ?? {}).filter(([path]) => path.startsWith('/api/'))

  t.ok(paths.length > 20)
  for (const [path, operations] of paths) {
    const method = 'post' in (operations ?? {}) ? 'POST' : 'GET'
    const url = `${path.replace(/\{id\}/, '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b').replace('{topic}', 'user-activities')}?unknown=1`
    const payload = method === 'POST' ? { payload: { userId: 'u', action: 'a' } } : {}

    const response = await app.inject({ method, url, ...payload })

    const { errors } = response.json()
    t.equal(response.statusCode, 400, url)
    if (method === 'GET') t.match(errors, [{ path: '/unknown', message: 'is not known' }], url)
  }
})

t.test('an error that nobody knows', async t => {
  const lines: string[] = []
  const stream = new Writable({
    write(line, _encoding, done) {
      lines.push(String(line))
      done()
    }
  })
  const findById = async () => Promise.reject(new Error('relation "messages" at 10.0.0.7 does not exist'))
  const app = await buildApp(t, { queries: fakeQueries({ messages: { findById } }), log: pino(stream) })
  const url = '/api/messages/019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b?topic=secret-topic'
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'

  const response = await app.inject({
    url,
    headers: {
      'x-request-id': 'mine-1',
      authorization: 'Bearer secret-token',
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`
    }
  })

  t.match(response.json(), { status: 500, code: 'SMG_GATEWAY_INTERNAL' })
  t.notMatch(response.body, /relation|10\.0\.0\.7|stack/)
  isDocumented(t, app, response)
  const logged = lines.map(line => JSON.parse(line))
  t.match(logged, [
    { reqId: 'mine-1', traceId, code: 'SMG_GATEWAY_INTERNAL', err: { message: /relation/ } },
    { reqId: 'mine-1', traceId, method: 'GET', route: '/api/messages/:id', status: 500, ms: Number, msg: 'request' }
  ])
  t.equal(logged.length, 2, 'one line an error, one line a request')
  t.notMatch(lines.join(''), /secret-token|secret-topic/)
})

t.test('the id of a request', async t => {
  const app = await buildApp(t)
  const cases = [
    { given: 'a.B_c-9', taken: true },
    { given: 'x'.repeat(65), taken: false },
    { given: 'two words', taken: false },
    { given: '{"level":60}', taken: false }
  ]

  for (const { given, taken } of cases) {
    const { headers } = await app.inject({ url: '/health/live', headers: { 'x-request-id': given } })
    t.equal(headers['x-request-id'] === given, taken, given)
  }

  const drawn = await Promise.all(Array.from({ length: 50 }, () => app.inject({ url: '/health/live' })))
  const ids = new Set(drawn.map(({ headers }) => headers['x-request-id']))
  t.equal(ids.size, 50, 'each has its own')
  t.ok(
    [...ids].every(id => /^[0-9a-f]{24}$/.test(String(id))),
    'that nobody can foresee'
  )
})

t.test('PostgreSQL that is away', async t => {
  const app = await buildApp(t, {
    queries: fakeQueries({
      messages: { list: () => new Promise<never>(() => undefined) },
      topicStatus: { all: async () => Promise.reject(new gatewayErrors.SMG_GATEWAY_DATABASE_AWAY()) }
    })
  })
  await app.ready()
  const startedMs = performance.now()

  const response = await app.inject('/api/messages')

  t.ok(performance.now() - startedMs < 10_000, 'it hangs for ever')
  t.match(response.json(), { status: 503, code: 'SMG_GATEWAY_DATABASE_AWAY' })
  t.equal(response.headers['retry-after'], '1')
  isDocumented(t, app, response)
  t.match(await app.inject('/api/topics'), { statusCode: 503 })
})

t.test('asks clients to leave once it is closing', async t => {
  const app = await buildApp(t)
  t.equal((await app.inject('/health/live')).headers.connection, 'keep-alive')

  app.startClosing()
  t.equal((await app.inject('/health/live')).headers.connection, 'close')
})
