import t from 'tap'
import { buildDatabaseApp, insertDead } from '../../../_support/database-app.ts'
import { isDocumented } from '../../../_support/documented.ts'

const { app, sql } = await buildDatabaseApp(t)
const discard = (id: string) => app.inject({ method: 'DELETE', url: `/api/dead-letters/${id}` })

t.test('DELETE /api/dead-letters/{id}', async t => {
  t.test('gives it up, and says the same again', async t => {
    const id = await insertDead(sql)

    for (const response of [await discard(id), await discard(id)]) {
      t.equal(response.statusCode, 200)
      t.strictSame(response.json(), { id, state: 'discarded' })
      isDocumented(t, app, response)
    }
    const kept = (await app.inject(`/api/dead-letters/${id}`)).json()
    t.match(kept, { state: 'discarded', resolvedAt: /Z$/ })
  })

  for (const state of ['redriving', 'resolved']) {
    t.test(`answers 409 when it is ${state}`, async t => {
      const response = await discard(await insertDead(sql, { state }))

      t.match(response.json(), { status: 409, code: 'SMG_GATEWAY_DEAD_LETTER_STATE', detail: new RegExp(state) })
      isDocumented(t, app, response)
    })
  }

  t.test('answers 404 when there is none, and 400 to what is no id', async t => {
    const unknown = await discard('019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b')

    t.match(unknown.json(), { status: 404, code: 'SMG_GATEWAY_NO_DEAD_LETTER' })
    t.match(await discard('7'), { statusCode: 400 })
    isDocumented(t, app, unknown)
  })

  t.test('takes many at once, one after the other', async t => {
    const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => insertDead(sql, { key: `k${index}` })))

    const responses = await Promise.all(ids.map(discard))

    t.strictSame(new Set(responses.map(({ statusCode }) => statusCode)), new Set([200]))
  })
})
