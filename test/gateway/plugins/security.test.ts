import { createHmac } from 'node:crypto'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import type { AppSettings } from '../../../gateway/config.ts'
import { buildApp, fakeProducer, settings } from '../_support/build-app.ts'
import { isDocumented } from '../_support/documented.ts'

const secret = 'c2VjcmV0LXRoYXQtbm9ib2R5LWtub3dzLWJ1dC11cw'
const security = { secret, issuer: 'us', audience: 'gateway', maxRequests: 1000, maxEvents: 5000, windowMs: 1000 }
const secure: AppSettings = { ...settings, security }
const exp = Math.floor(Date.now() / 1000) + 3600
const claims = { sub: 'ada', exp, iss: 'us', aud: 'gateway', scope: 'read produce:user-activities' }

const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** Signs as anybody could who has the key; header and payload may be any text. */
function sign(
  payload: unknown,
  { header = { alg: 'HS256', typ: 'JWT' } as unknown, key = secret, hash = 'sha256' } = {}
) {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`
}

const lines: string[] = []
const stream = new Writable({
  write(line, _encoding, done) {
    lines.push(String(line))
    done()
  }
})
const producer = fakeProducer()
const app = await buildApp(t, { settings: secure, producer, log: pino(stream), now: Date.now })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const token = sign(claims)

t.beforeEach(() => {
  lines.length = 0
  producer.appended.length = 0
})

const allowed = [
  { when: 'a scope in the text', token, url: '/api/messages' },
  { when: 'a scope in the list', token: sign({ ...claims, scope: undefined, scopes: ['read'] }), url: '/api/messages' },
  { when: 'one of several audiences', token: sign({ ...claims, aud: ['other', 'gateway'] }), url: '/api/messages' },
  {
    when: 'an end within the leeway',
    token: sign({ ...claims, exp: Math.floor(Date.now() / 1000) - 30 }),
    url: '/api/messages'
  },
  { when: 'the scope of metrics', token: sign({ ...claims, scope: 'metrics' }), url: '/metrics' }
]

for (const { when, token, url } of allowed) {
  t.test(`lets a token in with ${when}`, async t => {
    t.match(await app.inject({ url, headers: bearer(token) }), { statusCode: 200 })
  })
}

for (const { when, leftSeconds, expected } of [
  { when: 'its token', leftSeconds: -30, expected: 30_000 },
  { when: '15 minutes', leftSeconds: 3_600, expected: 900_000 }
]) {
  t.test(`ends a stream after ${when}, whichever comes first`, async t => {
    const app = await buildApp(t, { settings: secure, now: Date.now })
    const lifetimes: number[] = []
    app.messageStreams.open = ({ lifetimeMs }) => {
      lifetimes.push(lifetimeMs)
      return null
    }
    const token = sign({ ...claims, exp: Math.floor(Date.now() / 1000) + leftSeconds })

    await app.inject({ url: '/api/messages/stream', headers: bearer(token) })

    const [lifetimeMs = 0] = lifetimes
    t.ok(lifetimeMs <= expected && lifetimeMs > expected - 3_000, `${lifetimeMs} ms`)
  })
}

t.test('takes lower-case bearer', async t => {
  const headers = { authorization: `bearer ${token}` }
  t.match(await app.inject({ url: '/api/messages', headers }), { statusCode: 200 })
})

const [head = '', body = '', signature = ''] = token.split('.')
const now = Math.floor(Date.now() / 1000)
const withHeader = (header: unknown) => sign(claims, { header })

const refused = [
  { when: 'is missing its signature', token: `${head}.${body}.` },
  { when: 'has alg none', token: `${encode({ alg: 'none' })}.${body}.` },
  { when: 'has alg none and a signature', token: withHeader({ alg: 'none' }) },
  { when: 'has alg nOnE', token: withHeader({ alg: 'nOnE' }) },
  { when: 'has no alg', token: withHeader({ typ: 'JWT' }) },
  { when: 'has another alg of the same key', token: sign(claims, { header: { alg: 'HS512' }, hash: 'sha512' }) },
  { when: 'has alg RS256', token: withHeader({ alg: 'RS256' }) },
  { when: 'is signed with another key', token: sign(claims, { key: 'another-key-of-thirty-two-bytes-or-more' }) },
  { when: 'is signed with an empty key', token: sign(claims, { key: '' }) },
  { when: 'was changed', token: `${head}.${encode({ ...claims, sub: 'eve' })}.${signature}` },
  { when: 'brings a key', token: withHeader({ alg: 'HS256', jwk: { kty: 'oct', k: 'eA' } }) },
  { when: 'names a key by URL', token: withHeader({ alg: 'HS256', jku: 'https://example.com' }) },
  { when: 'brings certificates', token: withHeader({ alg: 'HS256', x5c: ['x'] }) },
  { when: 'asks for an extension', token: withHeader({ alg: 'HS256', crit: ['b64'], b64: false }) },
  { when: 'has b64 false', token: withHeader({ alg: 'HS256', b64: false }) },
  { when: 'has another typ', token: withHeader({ alg: 'HS256', typ: 'logout+jwt' }) },
  { when: 'has a huge kid', token: withHeader({ alg: 'HS256', kid: 'x'.repeat(10_000) }) },
  { when: 'names alg twice', token: withHeader('{"alg":"none","alg":"HS256"}') },
  {
    when: 'names exp twice',
    token: sign(`{"sub":"ada","iss":"us","aud":"gateway","scope":"read","exp":1,"exp":${exp}}`)
  },
  { when: 'is expired', token: sign({ ...claims, exp: now - 120 }) },
  { when: 'is not valid yet', token: sign({ ...claims, nbf: now + 120 }) },
  { when: 'has no exp', token: sign({ ...claims, exp: undefined }) },
  { when: 'has no sub', token: sign({ ...claims, sub: undefined }) },
  { when: 'has an empty sub', token: sign({ ...claims, sub: '' }) },
  { when: 'has exp as text', token: sign({ ...claims, exp: String(exp) }) },
  { when: 'has exp as a fraction', token: sign({ ...claims, exp: exp + 0.5 }) },
  { when: 'has a negative exp', token: sign({ ...claims, exp: -1 }) },
  { when: 'has an endless exp', token: sign(`{"sub":"ada","iss":"us","aud":"gateway","scope":"read","exp":1e308}`) },
  { when: 'has another issuer', token: sign({ ...claims, iss: 'them' }) },
  { when: 'has no issuer', token: sign({ ...claims, iss: undefined }) },
  { when: 'has another audience', token: sign({ ...claims, aud: 'other' }) },
  { when: 'has other audiences', token: sign({ ...claims, aud: ['other'] }) },
  { when: 'is a list', token: sign([]) },
  { when: 'is truncated', token: token.slice(0, -1) },
  { when: 'has five parts', token: `${token}.a.b` },
  { when: 'is padded', token: `${token}=` },
  { when: 'has another spelling of the same signature', token: respell(token) },
  { when: 'is no token', token: 'x' }
]

/** Sets bits of the last character that stand for nothing. */
function respell(text: string) {
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + last[last.indexOf(text.at(-1) ?? '') ^ 1]
}

for (const { when, token } of refused) {
  t.test(`refuses a token that ${when}`, async t => {
    const url = '/api/produce/user-activities'
    const payload = { userId: 'u', action: 'a' }

    const response = await app.inject({ method: 'POST', url, headers: bearer(token), payload })

    t.match(response.json(), { status: 401, code: 'SMG_GATEWAY_UNAUTHENTICATED' })
    t.match(response.headers['www-authenticate'], /^Bearer .*invalid_token/)
    t.strictSame(producer.appended, [])
    t.equal(lines.filter(line => line.includes('"event":"login_failed"')).length, 1)
    isDocumented(t, app, response)
  })
}

t.test('refuses two Authorization fields, and never reads the query', async t => {
  const two = { authorization: [`Bearer ${token}`, `Bearer ${token}`] as unknown as string }
  t.match(await app.inject({ url: '/api/messages', headers: two }), { statusCode: 401 })
  t.match(await app.inject(`/api/messages?access_token=${token}`), { statusCode: 401 })
})

t.test('answers 401 without a token to every route but the public ones, what does not exist included', async t => {
  await app.ready()
  const open = ['/health', '/health/live', '/health/ready']

  for (const [path, operations] of Object.entries(app.swagger().paths ?? {})) {
    for (const method of Object.keys(operations ?? {})) {
      const response = await app.inject({ method: method.toUpperCase() as 'GET', url: path })
      t.equal(response.statusCode === 401, !open.includes(path), `${method} ${path}`)
    }
  }
  const nowhere = await app.inject('/nowhere')
  t.match(nowhere, { statusCode: 401, headers: { 'www-authenticate': 'Bearer realm="smg-kafka"' } })
  t.match(await app.inject({ url: '/nowhere', headers: bearer(token) }), { statusCode: 404 })
  t.match(await app.inject({ method: 'PUT', url: '/api/messages', headers: bearer(token) }), { statusCode: 405 })
})

const scopes = [
  { scope: 'produce:user-activities', method: 'POST', url: '/api/produce/user-activities', status: 202 },
  { scope: 'produce:*', method: 'POST', url: '/api/produce/user-activities', status: 202 },
  { scope: 'produce:notifications', method: 'POST', url: '/api/produce/user-activities', status: 403 },
  { scope: 'produce:user-*', method: 'POST', url: '/api/produce/user-activities', status: 403 },
  { scope: 'produce', method: 'POST', url: '/api/produce/user-activities', status: 403 },
  { scope: '*', method: 'POST', url: '/api/produce/user-activities', status: 403 },
  { scope: 'produce:*', method: 'GET', url: '/api/messages', status: 403 },
  { scope: 'read', method: 'GET', url: '/metrics', status: 403 },
  { scope: '', method: 'GET', url: '/api/messages', status: 403 },
  { scope: 'READ', method: 'GET', url: '/api/messages', status: 403 }
] as const

for (const { scope, method, url, status } of scopes) {
  t.test(`answers ${status} to ${method} ${url} with the scope "${scope}"`, async t => {
    const payload = method === 'POST' ? { payload: { userId: 'u', action: 'a' } } : {}

    const response = await app.inject({ method, url, headers: bearer(sign({ ...claims, scope })), ...payload })

    t.equal(response.statusCode, status)
    t.equal(producer.appended.length, status === 202 ? 1 : 0)
    if (status === 403) t.match(lines.join(''), /"event":"denied","subject":"ada"/)
    isDocumented(t, app, response)
  })
}

t.test('asks for the scope before it reads NDJSON', async t => {
  const url = '/api/produce/user-activities/batch'
  const headers = { 'content-type': 'application/x-ndjson' }
  const post = (scope: string) =>
    app.inject({
      method: 'POST',
      url,
      headers: { ...headers, ...bearer(sign({ ...claims, scope })) },
      payload: '{"userId":"u","action":"a"}'
    })

  t.match(await app.inject({ method: 'POST', url, headers, payload: '{}' }), { statusCode: 401 })
  t.match(await post('produce:notifications'), { statusCode: 403 })
  t.equal(producer.appended.length, 0)
  t.match(await post('produce:user-activities'), { statusCode: 202 })
})

t.test('closes a route that names no scope, whatever the token allows', async t => {
  const forgetful = await buildApp(t, { settings: secure })
  forgetful.get('/forgotten', async () => 'secret')
  const scope = 'read operate metrics produce:* *'

  const response = await forgetful.inject({ url: '/forgotten', headers: bearer(sign({ ...claims, scope })) })

  t.equal(response.statusCode, 403)
})

t.test('keeps pages open, or closes them', async t => {
  const closed = await buildApp(t, { settings: { ...secure, pagesPublic: false } })

  for (const url of ['/docs', '/docs/static/theme/theme.css', '/openapi.json', '/asyncapi.json']) {
    t.match(await app.inject(url), { statusCode: 200 }, url)
    t.match(await closed.inject(url), { statusCode: 401 }, url)
    t.match(await closed.inject({ url, headers: bearer(token) }), { statusCode: 200 }, url)
  }
})

t.test('slows down who guesses, by address, and nobody else', async t => {
  const few = await buildApp(t, { settings: { ...secure, security: { ...security, maxRequests: 50 } } })
  const guess = (remoteAddress: string) => few.inject({ url: '/api/messages', headers: bearer('x'), remoteAddress })

  for (let count = 0; count < 10; count += 1) await guess('10.0.0.1')

  const limited = await guess('10.0.0.1')
  t.match(limited.json(), { status: 429, 'violated-policies': ['logins'] })
  t.equal(limited.headers['retry-after'], '1')
  t.match(await guess('10.0.0.2'), { statusCode: 401 })
  const good = await few.inject({ url: '/api/messages', headers: bearer(token), remoteAddress: '10.0.0.1' })
  t.equal(good.statusCode, 200)
})
