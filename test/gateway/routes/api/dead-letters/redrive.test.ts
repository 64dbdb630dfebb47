import t from 'tap'
import { buildApp, fakeQueries, fakeWrites } from '../../../_support/build-app.ts'
import { buildDatabaseApp, type Dead, insertDead } from '../../../_support/database-app.ts'
import { isDocumented } from '../../../_support/documented.ts'

const { app, sql } = await buildDatabaseApp(t)
const insert = (given?: Dead) => insertDead(sql, given)
const redrive = (id: string, payload?: object | string) =>
  app.inject({
    method: 'POST',
    url: `/api/dead-letters/${id}/redrive`,
    ...(payload !== undefined && { payload, headers: { 'content-type': 'application/json' } })
  })
const bulk = (payload: object) => app.inject({ method: 'POST', url: '/api/dead-letters/redrive', payload })
/** Each with a key of its own, at offsets from 1. */
const insertMany = (count: number) => sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset",
    key, headers, timestamp, stage, disposition, error_name, error_message, attempts)
  SELECT gen_random_uuid(), 'smg.user-activities', 'user-activities', gen_random_uuid(), 0, n, n::text::bytea, '[]', now(),
    'handle', 'attempts_exhausted', 'Error', 'why', 3 FROM generate_series(1, ${count}::int) AS n`
const editOf = async (id: string) =>
  (await sql`SELECT edited_value FROM dead_letters WHERE id = ${id}`)[0]?.edited_value?.toString() ?? null

t.beforeEach(() => sql`TRUNCATE dead_letters, messages`)

t.test('POST /api/dead-letters/{id}/redrive', async t => {
  t.test('hands it to the runners, and says the same again', async t => {
    const id = await insert()

    for (const response of [await redrive(id), await redrive(id, {}), await redrive(id, '')]) {
      t.equal(response.statusCode, 202)
      t.strictSame(response.json(), { id, state: 'redriving', laterSettled: 0 })
      isDocumented(t, app, response)
    }
  })

  const edits = [
    { when: 'JSON', payload: { value: { a: [-0, 'ü'] } }, stored: '{"a":[-0,"ü"]}' },
    { when: 'the JSON value null', payload: { value: null }, stored: 'null' },
    { when: 'bytes', payload: { valueBase64: Buffer.from('{ }').toString('base64') }, stored: '{ }' },
    { when: 'no bytes', payload: { valueBase64: '' }, stored: '' }
  ]
  for (const { when, payload, stored } of edits) {
    t.test(`keeps an edit of ${when} beside the original`, async t => {
      const id = await insert()

      // By hand: JSON.stringify writes -0 as 0.
      t.match(await redrive(id, JSON.stringify(payload).replace('[0', '[-0')), { statusCode: 202 })

      t.equal(await editOf(id), stored)
      const [row] = await sql`SELECT value FROM dead_letters`
      t.equal(String(row?.value), '{"a":1}')
    })
  }

  const wrong = [
    { when: 'two edits at once', payload: { value: 1, valueBase64: 'eA==' } },
    { when: 'what is no base64', payload: { valueBase64: 'x' } },
    { when: 'base64 of URLs', payload: { valueBase64: '-_8=' } },
    { when: 'an unknown member', payload: { values: 1 } },
    { when: 'another type', payload: { overtake: 'yes' } },
    { when: 'a list', payload: [] }
  ]
  for (const { when, payload } of wrong) {
    t.test(`answers 400 to ${when}`, async t => {
      const id = await insert()

      const response = await redrive(id, payload)

      t.equal(response.statusCode, 400)
      t.match(await sql`SELECT state FROM dead_letters`, [{ state: 'dead' }])
      isDocumented(t, app, response)
    })
  }

  t.test('answers 413 to an edit larger than an event', async t => {
    const response = await redrive(await insert(), { value: 'x'.repeat(1_048_576) })

    t.match(response.json(), { status: 413, code: 'SMG_GATEWAY_TOO_LARGE' })
    isDocumented(t, app, response)
  })

  for (const state of ['resolved', 'discarded']) {
    t.test(`answers 409 when it is ${state}`, async t => {
      const response = await redrive(await insert({ state }))

      t.match(response.json(), { status: 409, code: 'SMG_GATEWAY_DEAD_LETTER_STATE' })
      isDocumented(t, app, response)
    })
  }

  t.test('answers 409 to an edit of one that runs already', async t => {
    const id = await insert({ state: 'redriving' })

    t.match(await redrive(id, { value: {} }), { statusCode: 409 })
    t.equal(await editOf(id), null)
  })

  t.test('rule 21: names the older dead letter of its key, unless it is to overtake', async t => {
    const older = await insert({ offset: 1 })
    const id = await insert({ offset: 2 })

    const refused = await redrive(id)

    t.match(refused.json(), { status: 409, code: 'SMG_GATEWAY_OLDER_DEAD', detail: new RegExp(older) })
    isDocumented(t, app, refused)
    t.match(await redrive(id, { overtake: true }), { statusCode: 202 })
  })

  t.test('says what of its key was settled behind it', async t => {
    const id = await insert({ offset: 1 })
    const keyless = await insert({ offset: 2, key: null })
    for (const offset of [5, 6]) {
      await sql`INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
        VALUES ('user-activities', gen_random_uuid(), 0, ${offset}, 'k', '{}', '{}', now())`
    }

    t.match((await redrive(id)).json(), { laterSettled: 2 })
    t.match((await redrive(keyless)).json(), { laterSettled: null })
  })

  t.test('warns that what cannot be decoded wants an edit', async t => {
    const useless = await insert({ stage: 'decode', disposition: 'decode_failed', key: 'a' })
    const edited = await insert({ stage: 'decode', disposition: 'decode_failed', key: 'b' })

    t.match((await redrive(useless)).json(), { warning: /nothing but an edit/ })
    t.notOk('warning' in (await redrive(edited, { value: {} })).json())
  })

  t.test('answers 404 and 415', async t => {
    const unknown = await redrive('019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b')
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const form = await app.inject({
      method: 'POST',
      url: `/api/dead-letters/${await insert()}/redrive`,
      headers,
      payload: 'a=1'
    })

    t.match(unknown.json(), { status: 404, code: 'SMG_GATEWAY_NO_DEAD_LETTER' })
    t.match(form.json(), { status: 415 })
    for (const response of [unknown, form]) isDocumented(t, app, response)
  })

  t.test('stands although nobody can count what was settled behind it', async t => {
    const done = { state: 'redriving', isChanged: true, olderId: null, disposition: 'timed_out' }
    const place = { topic: 'a', partition: 0, offset: '1', keyBase64: 'aw==', timestamp: '2026-01-31T12:00:00Z' }
    const traceparentBase64 = null
    const countLaterSettled = async () => Promise.reject(new Error('away'))
    const app = await buildApp(t, {
      writes: fakeWrites({ deadLetters: { redrive: async () => ({ ...done, ...place, traceparentBase64 }) } }),
      queries: fakeQueries({ redrivable: { countLaterSettled } })
    })

    const response = await app.inject({
      method: 'POST',
      url: '/api/dead-letters/019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b/redrive'
    })

    t.match(response.json(), { state: 'redriving', laterSettled: null })
    isDocumented(t, app, response)
  })
})

t.test('POST /api/dead-letters/redrive', async t => {
  t.test('counts in a dry run and changes nothing, then redrives, then finds nothing', async t => {
    await insertMany(1_200)
    const filter = { topic: 'user-activities', disposition: 'attempts_exhausted' }

    const dry = await bulk({ filter, limit: 10_000, dryRun: true })
    const done = await bulk({ filter, limit: 10_000 })
    const again = await bulk({ filter, limit: 10_000 })

    const reasons = [{ stage: 'handle', disposition: 'attempts_exhausted', error: 'Error', count: 1_200 }]
    t.equal(dry.statusCode, 200)
    t.strictSame(dry.json(), { matched: 1_200, redriven: 0, skipped: 0, reasons })
    t.equal(done.statusCode, 202)
    t.strictSame(done.json(), { matched: 1_200, redriven: 1_200, skipped: 0, reasons })
    t.strictSame(again.json(), { matched: 0, redriven: 0, skipped: 0, reasons: [] })
    for (const response of [dry, done, again]) isDocumented(t, app, response)
  })

  t.test('takes 1000 when no limit is said, those that died first', async t => {
    await insertMany(1_001)

    t.match((await bulk({ filter: {} })).json(), { matched: 1_001, redriven: 1_000 })
    t.match(await sql`SELECT "offset"::int FROM dead_letters WHERE state = 'dead'`, [{ offset: 1_001 }])
  })

  t.test('rule 21: skips what an older one of its key holds back, unless that is to be redriven too', async t => {
    await insert({ key: 'a', offset: 1, errorName: 'TypeError' })
    await insert({ key: 'a', offset: 2 })
    await insert({ key: 'b', offset: 1 })
    await insert({ key: 'b', offset: 2 })
    const filter = { error: 'Error' }

    t.match((await bulk({ filter, dryRun: true })).json(), { matched: 3, redriven: 0, skipped: 1 })
    t.match((await bulk({ filter })).json(), { matched: 3, redriven: 2, skipped: 1 })
    t.match((await bulk({ filter, overtake: true })).json(), { matched: 1, redriven: 1, skipped: 0 })
  })

  const filters = [
    { filter: { stage: 'validate' }, given: { stage: 'validate' } },
    { filter: { from: '2026-02-01T01:00:00+01:00' }, given: { timestamp: '2026-02-01T00:00:00Z' } },
    { filter: { to: '2026-01-31T12:00:00Z' }, given: { timestamp: '2026-01-31T11:59:59Z' } },
    { filter: { topic: 'error-logs', state: 'dead' }, given: { topic: 'error-logs' } }
  ]
  for (const { filter, given } of filters) {
    t.test(`filters by ${Object.keys(filter).join(' and ')}`, async t => {
      await insert({ key: null })
      const id = await insert({ key: null, ...given })

      t.match((await bulk({ filter })).json(), { matched: 1, redriven: 1 })
      t.match(await sql`SELECT id FROM dead_letters WHERE state = 'redriving'`, [{ id }])
    })
  }

  const wrong = [
    { when: 'no filter', payload: {} },
    { when: 'an unknown filter', payload: { filter: { group: 'x' } } },
    { when: 'a state that cannot be redriven', payload: { filter: { state: 'resolved' } } },
    { when: 'what is no time', payload: { filter: { from: 'yesterday' } } },
    { when: 'a limit of 0', payload: { filter: {}, limit: 0 } },
    { when: 'a limit beyond 10000', payload: { filter: {}, limit: 10_001 } },
    { when: 'a list', payload: [] }
  ]
  for (const { when, payload } of wrong) {
    t.test(`answers 400 to ${when}`, async t => {
      const response = await bulk(payload)

      t.equal(response.statusCode, 400)
      isDocumented(t, app, response)
    })
  }
})
