import t from 'tap'
import { buildDatabaseApp } from '../../../_support/database-app.ts'
import { isDocumented } from '../../../_support/documented.ts'

const { app, sql } = await buildDatabaseApp(t)
const topic = 'user-activities'
const post = (verb: string, of = topic) => app.inject({ method: 'POST', url: `/api/functions/${of}/${verb}` })
const states = async () => [
  ...(await sql`SELECT group_id, topic, state, reason, details, recent, since FROM function_states`)
]

t.beforeEach(() => sql`TRUNCATE function_states`)

t.test('POST /api/functions/{topic}/pause', async t => {
  t.test('holds it up, and changes nothing the second time', async t => {
    const first = await post('pause')
    const [before] = await states()
    const again = await post('pause')

    for (const response of [first, again]) {
      t.equal(response.statusCode, 202)
      t.strictSame(response.json(), { topic, state: 'paused' })
      isDocumented(t, app, response)
    }
    t.match(before, { group_id: `smg.${topic}`, topic, state: 'paused', reason: 'paused by an operator' })
    t.strictSame(await states(), [before])
    t.match((await app.inject(`/api/functions/${topic}`)).json(), { state: 'paused', reason: 'paused by an operator' })
  })

  t.test('pauses one that is stopped', async t => {
    await sql`INSERT INTO function_states (group_id, topic, state, reason) VALUES (${`smg.${topic}`}, ${topic}, 'stopped', 'flood')`

    await post('pause')

    t.match(await states(), [{ state: 'paused' }])
  })
})

t.test('POST /api/functions/{topic}/resume', async t => {
  const flood = { reason: 'handle TypeError', fileHash: 'x' }
  const held = [
    { when: 'was paused', state: 'paused', details: {}, after: {} },
    { when: 'a flood has stopped', state: 'stopped', details: { flood }, after: { flood, probe: true } },
    { when: 'was paused after a flood', state: 'paused', details: { flood }, after: { flood, probe: true } }
  ]
  for (const { when, state, details, after } of held) {
    t.test(`rule 20: lets one go on that ${when}, after a flood with a single record first`, async t => {
      await sql`INSERT INTO function_states (group_id, topic, state, reason, recent, details)
        VALUES (${`smg.${topic}`}, ${topic}, ${state}, 'why', '[["handle TypeError",501]]', ${JSON.stringify(details)}::text::jsonb)`

      const response = await post('resume')

      t.equal(response.statusCode, 202)
      t.strictSame(response.json(), { topic, state: 'running' })
      const [row] = await states()
      t.match(row, { state: 'running', reason: null, recent: null })
      t.strictSame(row?.details, after)
      isDocumented(t, app, response)
    })
  }

  t.test('leaves one that runs as it is', async t => {
    await sql`INSERT INTO function_states (group_id, topic, recent) VALUES (${`smg.${topic}`}, ${topic}, '[["x",1]]')`
    const before = await states()

    t.match(await post('resume'), { statusCode: 202 })

    t.strictSame(await states(), before)
  })
})

t.test('a page of another site cannot pause it behind the back of a browser', async t => {
  const url = `/api/functions/${topic}/pause`
  const from = (site: string) => app.inject({ method: 'POST', url, headers: { 'sec-fetch-site': site } })

  for (const site of ['cross-site', 'same-site']) t.match(await from(site), { statusCode: 415 })
  t.equal((await states()).length, 0)
  for (const site of ['same-origin', 'none']) t.match(await from(site), { statusCode: 202 })
})

t.test('of a function that nobody knows, or with a form', async t => {
  for (const verb of ['pause', 'resume']) {
    const unknown = await post(verb, 'none')
    const form = await app.inject({
      method: 'POST',
      url: `/api/functions/${topic}/${verb}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'a=1'
    })

    t.match(unknown.json(), { status: 404, code: 'SMG_GATEWAY_NO_TOPIC' })
    t.equal(form.statusCode, 415)
    for (const response of [unknown, form]) isDocumented(t, app, response)
  }
  t.equal((await states()).length, 0)
})
