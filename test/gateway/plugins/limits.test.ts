import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { addressKey } from '../../../gateway/address-key.ts'
import { createWindowLimit } from '../../../gateway/window-limit.ts'
import { setClock } from '../../_support/set-clock.ts'
import { buildApp, fakeProducer, NOW_MS, settings } from '../_support/build-app.ts'
import { isDocumented } from '../_support/documented.ts'
import { openRequest, until } from '../_support/open-request.ts'

const secret = 'c2VjcmV0LXRoYXQtbm9ib2R5LWtub3dzLWJ1dC11cw'
const security = { secret, issuer: undefined, audience: undefined, maxRequests: 3, maxEvents: 5, windowMs: 1000 }
const event = { userId: 'u', action: 'a' }

function bearerOf(sub: string) {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 3600
  const input = `${encode({ alg: 'HS256' })}.${encode({ sub, exp, scope: 'read produce:*' })}`
  return { authorization: `Bearer ${input}.${createHmac('sha256', secret).update(input).digest('base64url')}` }
}

t.test('limits the requests of a subject, and says what is left', async t => {
  const app = await buildApp(t, { settings: { ...settings, security } })
  const get = (sub: string) => app.inject({ url: '/api/messages', headers: bearerOf(sub) })

  const answers = [await get('ada'), await get('ada'), await get('ada'), await get('ada')]

  t.strictSame(
    answers.map(({ statusCode, headers }) => [statusCode, headers['ratelimit-policy'], headers.ratelimit]),
    [
      [200, '"default";q=3;w=1', '"default";r=2;t=1'],
      [200, '"default";q=3;w=1', '"default";r=1;t=1'],
      [200, '"default";q=3;w=1', '"default";r=0;t=1'],
      [429, '"default";q=3;w=1', '"default";r=0;t=1']
    ]
  )
  const limited = answers[3]
  t.match(limited?.json(), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    code: 'SMG_GATEWAY_RATE_LIMIT',
    'violated-policies': ['default']
  })
  t.equal(limited?.headers['retry-after'], '1')
  t.notMatch(
    Object.keys(limited?.headers ?? {}).join(),
    /x-ratelimit|ratelimit-limit|ratelimit-remaining|ratelimit-reset/
  )
  if (limited) isDocumented(t, app, limited)

  t.match(await get('eve'), { statusCode: 200 }, 'another subject is not touched')
  // The window is by the real clock: asked again until it has passed, which takes a second.
  let later = await get('ada')
  for (let asked = 0; later.statusCode === 429 && asked < 100; asked += 1) {
    await sleep(50)
    later = await get('ada')
  }
  t.match(later, { statusCode: 200 }, 'the next window begins anew')
})

t.test('counts the events of batches, and writes none of a batch that is too much', async t => {
  const producer = fakeProducer()
  const app = await buildApp(t, { settings: { ...settings, security }, producer })
  const post = (count: number) =>
    app.inject({
      method: 'POST',
      url: '/api/produce/user-activities/batch',
      headers: bearerOf('ada'),
      payload: { events: Array(count).fill(event) }
    })

  const first = await post(3)
  const second = await post(3)
  const third = await post(2)

  t.match(first, { statusCode: 202, headers: { ratelimit: '"default";r=2;t=1, "events";r=2;t=1' } })
  t.match(second.json(), { status: 429, 'violated-policies': ['events'] })
  t.equal(third.statusCode, 202)
  t.equal(producer.appended.length, 5)
})

t.test('counts the events of NDJSON as they come', async t => {
  const path = '/api/produce/user-activities/batch'
  const patient = { ...security, maxRequests: 100, windowMs: 60_000 }
  const line = `${JSON.stringify(event)}\n`

  async function open(sub: string) {
    const producer = fakeProducer()
    const app = await buildApp(t, { settings: { ...settings, security: patient }, producer })
    const headers = { ...bearerOf(sub), 'content-type': 'application/x-ndjson' }
    return { ...(await openRequest(t, app, { path, headers })), app, producer, headers }
  }

  t.test('and refuses those that are too many, and all behind them', async t => {
    const { write, end, answered, producer } = await open('ada')
    write(line.repeat(3))
    await until(() => producer.appended.length === 3)
    write(line.repeat(3))
    await sleep(30)
    end(line)

    const { status, headers, body } = await answered
    t.equal(status, 207)
    t.strictSame(
      body.results.map(({ status }: { status: number }) => status),
      [202, 202, 202, 429, 429, 429, 429]
    )
    t.match(body.results[6], { index: 6, error: { code: 'SMG_GATEWAY_RATE_LIMIT' } })
    t.equal(producer.appended.length, 3)
    t.match(headers, { 'ratelimit-policy': '"default";q=100;w=60, "events";q=5;w=60' })
    t.match(headers, { ratelimit: /^"default";r=99;t=60, "events";r=2;t=60$/ })
  })

  t.test('and refuses the request when the first are too many already', async t => {
    const { app, headers, producer } = await open('bob')

    const response = await app.inject({ method: 'POST', url: path, headers, payload: line.repeat(6) })

    t.match(response.json(), { status: 429, 'violated-policies': ['events'], results: undefined })
    t.match(response.headers, { 'retry-after': '60' })
    t.strictSame(producer.appended, [])
    isDocumented(t, app, response)
  })

  t.test('and answers 429 with the results when none was accepted before', async t => {
    const { write, end, answered, producer } = await open('eve')
    write('7\n')
    await sleep(30)
    end(line.repeat(5))

    const { status, headers, body } = await answered
    t.equal(status, 429)
    t.match(headers, { 'retry-after': '60' })
    t.match(body, {
      'violated-policies': ['events'],
      results: [
        { index: 0, status: 400 },
        { index: 1, status: 429 }
      ]
    })
    t.strictSame(producer.appended, [])
  })
})

t.test('leaves health alone, and everything without security', async t => {
  const secure = await buildApp(t, { settings: { ...settings, security } })
  const open = await buildApp(t)

  for (let count = 0; count < 5; count += 1) {
    t.match(await secure.inject('/health/live'), { statusCode: 200, headers: { ratelimit: undefined } })
    t.match(await open.inject('/api/messages'), { statusCode: 200, headers: { ratelimit: undefined } })
  }
})

t.test('begins a new window in time, although the clock is set back', async t => {
  const moveClock = setClock(t)
  const app = await buildApp(t, { settings: { ...settings, security }, now: Date.now })
  const statuses = async () => {
    const { statusCode } = await app.inject({ url: '/api/messages', headers: bearerOf('ada') })
    const events = await app.inject({
      method: 'POST',
      url: '/api/produce/user-activities/batch',
      headers: bearerOf('eve'),
      payload: { events: Array(5).fill(event) }
    })
    return [statusCode, events.statusCode]
  }
  for (let asked = 0; asked < 4; asked += 1) await statuses()
  t.strictSame(await statuses(), [429, 429])
  moveClock(-3_600_000)

  await sleep(1_100)
  t.strictSame(await statuses(), [200, 202])
})

t.test('forgets the oldest key rather than to grow', async t => {
  const take = createWindowLimit({ max: 1, windowMs: 1000, maxKeys: 2, now: () => NOW_MS })

  t.equal(take('a').isAllowed, true)
  t.equal(take('a').isAllowed, false)
  take('b')
  take('c')
  t.equal(take('b').isAllowed, false)
  t.equal(take('a').isAllowed, true, 'it was forgotten')
})

const addresses = [
  { one: '2001:db8::1', other: '2001:db8:0:0:ffff::2', same: true },
  { one: '2001:db8::1', other: '2001:db8:0:1::1', same: false },
  { one: '10.0.0.1', other: '10.0.0.2', same: false },
  { one: '::ffff:10.0.0.1', other: '::ffff:10.0.0.2', same: false }
]

for (const { one, other, same } of addresses) {
  t.test(`takes ${one} and ${other} for ${same ? 'one client' : 'two clients'}`, async t => {
    t.equal(addressKey(one) === addressKey(other), same)
  })
}
