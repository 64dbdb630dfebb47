import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { EventOutcome } from '../../../../db/queries/outcomes.ts'
import { buildApp, fakeQueries } from '../../_support/build-app.ts'
import { buildDatabaseApp } from '../../_support/database-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const url = '/api/produce/user-activities'
const payload = { userId: 'user-001', action: 'login' }
const waiting = (prefer: string) => ({ method: 'POST', url, headers: { prefer }, payload }) as const
const dead: EventOutcome = {
  state: 'dead',
  deadLetterId: '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b',
  stage: 'handle',
  error: { name: 'TypeError', message: 'no' }
}

/** Queries where every event has the outcome. */
const queriesWith = (outcome: EventOutcome | null) =>
  fakeQueries({
    outcomes: {
      find: async events => new Map(outcome ? events.map(({ topic, id }) => [`${topic} ${id}`, outcome] as const) : [])
    }
  })

t.test('POST /api/produce/{topic} with Prefer: wait', async t => {
  for (const outcome of [{ state: 'settled' }, dead] as const) {
    t.test(`answers 200 with the outcome when the event is ${outcome.state} in time`, async t => {
      const app = await buildApp(t, { queries: queriesWith(outcome) })

      const response = await app.inject(waiting('wait=5'))

      t.equal(response.statusCode, 200)
      t.equal(response.headers['preference-applied'], 'wait=5')
      t.match(response.headers.location, /^\/api\/messages\/.*\?topic=user-activities$/)
      t.match(response.json(), { topic: 'user-activities', offset: '0', outcome })
      isDocumented(t, app, response)
    })
  }

  t.test('answers 202 when it is not there in time', async t => {
    const app = await buildApp(t, { queries: queriesWith(null) })
    const startedMs = performance.now()

    const response = await app.inject(waiting('wait=1'))

    t.ok(performance.now() - startedMs >= 990)
    t.match(response, { statusCode: 202, headers: { 'preference-applied': 'wait=1' } })
    t.notOk('outcome' in response.json())
    isDocumented(t, app, response)
  })

  t.test('answers 202 when PostgreSQL is away', async t => {
    const find = async () => Promise.reject(new Error('away'))
    const app = await buildApp(t, { queries: fakeQueries({ outcomes: { find } }) })

    t.match(await app.inject(waiting('wait=20')), { statusCode: 202 })
  })

  t.test('grants 30 seconds at most', async t => {
    const app = await buildApp(t, { queries: queriesWith({ state: 'settled' }) })

    t.match(await app.inject(waiting('wait=600')), { statusCode: 200, headers: { 'preference-applied': 'wait=30' } })
  })

  t.test('waits for nothing where no wait is asked for, nor for a batch', async t => {
    const find = async () => t.fail('asked') as never
    const app = await buildApp(t, { queries: fakeQueries({ outcomes: { find } }) })
    const batch = { ...waiting('wait=5'), url: `${url}/batch`, payload: { events: [payload] } }

    for (const request of [waiting('wait=0'), waiting('wait=soon'), waiting('respond-async'), batch]) {
      const response = await app.inject(request)
      t.equal(response.statusCode, 202)
      t.equal(response.headers['preference-applied'], undefined)
    }
  })

  t.test('gives a repeat under a key the outcome of the first event', async t => {
    const { app, sql } = await buildDatabaseApp(t)
    const headers = { 'idempotency-key': 'k' }
    const first = await app.inject({ method: 'POST', url, headers, payload })
    const { id } = first.json()
    await sql`INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
      VALUES ('user-activities', ${id}, 0, 1, NULL, '{}', '{}', now())`

    const again = await app.inject({ ...waiting('wait=5'), headers: { ...headers, prefer: 'wait=5' } })

    t.match(again.json(), { ...first.json(), outcome: { state: 'settled' } })
  })
})

t.test('the outcomes in PostgreSQL', async t => {
  const { app, sql } = await buildDatabaseApp(t)
  const letter = (id: string, group: string) =>
    sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", headers, timestamp, stage, disposition,
        error_name, error_message, attempts)
      VALUES (${dead.state === 'dead' ? id : ''}, ${group}, 'a', ${id}, 0, 1, '[]', now(), 'handle', 'non_retriable', 'TypeError', 'no', 1)`
  const message = (id: string, topic: string) =>
    sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp) VALUES (${topic}, ${id}, 0, 1, '{}', '{}', now())`
  const [settled, failed, resolved, elsewhere] = [1, 2, 3, 4].map(n => `019c1a2b-3c4d-7e5f-8a6b-00000000000${n}`) as [
    string,
    string,
    string,
    string
  ]
  await message(settled, 'a')
  await letter(failed, 'smg.a')
  await message(resolved, 'a')
  await letter(resolved, 'smg.a')
  await message(elsewhere, 'b')
  await letter(elsewhere, 'other.a')
  const events = [settled, failed, resolved, elsewhere].map(id => ({ topic: 'a', groupId: 'smg.a', id }))

  const outcomes = await app.queries.outcomes.find(events)

  t.strictSame(
    outcomes,
    new Map<string, EventOutcome>([
      [`a ${settled}`, { state: 'settled' }],
      [`a ${failed}`, { ...dead, deadLetterId: failed }],
      [`a ${resolved}`, { state: 'settled' }]
    ])
  )
})

t.test('a stop of the gateway answers those who wait, with 202', async t => {
  const app = await buildApp(t, { queries: queriesWith(null) })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const answers = Array.from({ length: 5 }, () =>
    fetch(`http://127.0.0.1:${port}${url}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=30' },
      body: JSON.stringify(payload)
    })
  )
  const seen = async () => (await app.readMetrics()).text.includes('smg_waiting_requests 5\n')
  while (!(await seen())) await new Promise(resolve => setTimeout(resolve, 20))
  const startedMs = performance.now()

  app.startClosing()
  await app.close()

  t.strictSame(
    (await Promise.all(answers)).map(({ status }) => status),
    [202, 202, 202, 202, 202]
  )
  t.ok(performance.now() - startedMs < 20_000)
})

t.test('a client that goes away is waited for no longer', async t => {
  const app = await buildApp(t, { queries: queriesWith(null) })
  const ended = new Promise<void>(resolve => {
    const { wait } = app.outcomes
    app.outcomes.wait = (event, options) => {
      const waited = wait(event, options)
      void waited.then(() => resolve())
      return waited
    }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const headers = { 'content-type': 'application/json', prefer: 'wait=30' }
  const client = httpRequest({ host: '127.0.0.1', port, path: url, method: 'POST', headers }).on(
    'error',
    () => undefined
  )
  client.end(JSON.stringify(payload))
  await new Promise(resolve => setTimeout(resolve, 300))
  const startedMs = performance.now()

  client.destroy()
  await ended

  t.ok(performance.now() - startedMs < 20_000)
})
