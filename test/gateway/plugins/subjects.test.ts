import { createHmac } from 'node:crypto'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { toStoredSubject } from '../../../gateway/stored-subject.ts'
import { fakeProducer, settings } from '../_support/build-app.ts'
import { buildDatabaseApp, insertDead } from '../_support/database-app.ts'
import { isDocumented } from '../_support/documented.ts'

const secret = 'c2VjcmV0LXRoYXQtbm9ib2R5LWtub3dzLWJ1dC11cw'
const exp = Math.floor(Date.now() / 1000) + 3600
const security = { secret, issuer: undefined, audience: undefined, maxRequests: 1000, maxEvents: 5000, windowMs: 1000 }
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

function bearer(sub: string, scope: string) {
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub, exp, scope })}`
  return { authorization: `Bearer ${input}.${createHmac('sha256', secret).update(input).digest('base64url')}` }
}

const lines: string[] = []
const stream = new Writable({
  write(line, _encoding, done) {
    lines.push(String(line))
    done()
  }
})
const producer = fakeProducer()
const overrides = { settings: { ...settings, security }, producer, log: pino(stream), now: Date.now }
const { app, sql } = await buildDatabaseApp(t, overrides)
const produce = (sub: string, key: string) =>
  app.inject({
    method: 'POST',
    url: '/api/produce/user-activities',
    headers: { ...bearer(sub, 'produce:*'), 'idempotency-key': key },
    payload: { userId: 'u', action: 'a' }
  })

t.test('rule 24: a key means nothing in the hands of another subject', async t => {
  const [ada, eve] = [await produce('ada', 'k'), await produce('eve', 'k')]

  t.strictSame([ada.statusCode, eve.statusCode], [202, 202])
  t.not(eve.json().id, ada.json().id)
  t.equal((await produce('ada', 'k')).body, ada.body)
  t.equal(producer.appended.length, 2)
})

t.test('a subject of any length and with any character has keys of its own', async t => {
  const subjects = ['x'.repeat(5_000), `${'x'.repeat(5_000)}y`, 'a\u0000', 'a\ud800', 'a']

  const responses = []
  for (const subject of subjects) responses.push(await produce(subject, 'long'))

  t.equal(new Set(responses.map(response => response.json().id)).size, subjects.length)
  t.equal(new Set(subjects.map(toStoredSubject)).size, subjects.length)
})

const id = await insertDead(sql)
const operations = [
  { method: 'POST', url: `/api/dead-letters/${id}/redrive`, event: 'redrive' },
  { method: 'POST', url: '/api/dead-letters/redrive', payload: { filter: { topic: 'none' } }, event: 'redrive' },
  { method: 'DELETE', url: `/api/dead-letters/${id}`, event: 'discard' },
  { method: 'POST', url: '/api/topics/user-activities/position', payload: { to: 'earliest' }, event: 'position' },
  { method: 'POST', url: '/api/functions/user-activities/pause', event: 'pause' },
  { method: 'POST', url: '/api/functions/user-activities/resume', event: 'resume' }
] as const

for (const { method, url, event, ...rest } of operations) {
  t.test(`${method} ${url.replace(id, '{id}')} wants the scope operate, and leaves the subject behind`, async t => {
    await sql`UPDATE dead_letters SET state = 'dead', requested_by = NULL`
    await sql`TRUNCATE audit`
    lines.length = 0

    const denied = await app.inject({ method, url, ...rest, headers: bearer('eve', 'read produce:* metrics') })
    t.match(denied.json(), { status: 403 })
    t.match(await sql`SELECT state, requested_by FROM dead_letters`, [{ state: 'dead', requested_by: null }])
    t.equal((await sql`SELECT FROM audit`).length, 0)
    isDocumented(t, app, denied)

    const done = await app.inject({ method, url, ...rest, headers: bearer('ada', 'operate') })
    t.ok(done.statusCode < 300, done.body)
    t.match(lines.join(''), new RegExp(`"event":"${event}".*"subject":"ada"`))
    if (url.includes(id)) t.match(await sql`SELECT requested_by FROM dead_letters`, [{ requested_by: 'ada' }])
    const requestId = done.headers['x-request-id']
    // Nothing is there that the filter would match.
    const audited = url.endsWith('letters/redrive') ? [] : [{ operator: 'ada', request_id: requestId }]
    t.match(await sql`SELECT operator, request_id FROM audit`, audited)
    if (event === 'pause') t.match(await sql`SELECT reason FROM function_states`, [{ reason: 'paused by ada' }])
  })
}
