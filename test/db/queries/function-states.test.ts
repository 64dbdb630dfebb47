import { randomUUID } from 'node:crypto'
import t from 'tap'
import {
  createFunctionStateQueries,
  createFunctionStateRequests,
  writeFunctionState
} from '../../../db/queries/function-states.ts'
import { createOperatorQueries } from '../../../db/queries/operators.ts'
import { createWriter } from '../../../db/writer.ts'
import { createTestDatabase } from '../../_support/database.ts'

const GROUP = { groupId: 'smg.orders', topic: 'orders' }

const LIMITS = { lockTimeoutMs: 1_000, statementTimeoutMs: 1_000, idleTimeoutMs: 1_000 }

const { sql, databaseUrl } = await createTestDatabase(t)
const operators = createOperatorQueries(sql)
t.beforeEach(() => sql`TRUNCATE function_states`.then())

const stop = (reason: string) => writeFunctionState(sql, { ...GROUP, state: 'stopped', reason })
const find = async () => (await operators.states([GROUP.groupId])).get(GROUP.groupId)

/** As if the stop had been said so many seconds ago for the last time. */
const age = (seconds: number) =>
  sql`UPDATE function_states SET since = since - ${seconds} * interval '1 second',
    details = details || jsonb_build_object('stoppedAt', (details->>'stoppedAt')::float8 - ${seconds})`

t.test(
  'rule 19: a stop stands while a runner says so, and a runner that works ends what nobody says any more',
  async t => {
    await stop('no table')
    await operators.work(GROUP.groupId)
    t.match(await find(), { state: 'stopped', reason: 'no table', isForgotten: false }, 'a moment ago')

    await age(100)
    t.match(await find(), { isForgotten: true })
    await stop('no table')
    t.match(await find(), { isForgotten: false }, 'said once more')
    await operators.work(GROUP.groupId)
    t.match(await find(), { state: 'stopped' })
    const [said] = await sql`SELECT since < now() - interval '90 seconds' AS is_old FROM function_states`
    t.equal(said?.is_old, true, 'and it began long ago')

    await age(100)
    await operators.work(GROUP.groupId)
    t.match(await find(), { state: 'running', reason: null, isForgotten: false })
  }
)

t.test('a stop of before the time was noted is forgotten by the time since when it stands', async t => {
  await sql`INSERT INTO function_states (group_id, topic, state, since)
    VALUES (${GROUP.groupId}, ${GROUP.topic}, 'stopped', now() - interval '2 minutes')`

  await operators.work(GROUP.groupId)

  t.match(await find(), { state: 'running' })
})

const kept = [
  { when: 'an operator paused it', state: 'paused', details: '{}' },
  { when: 'a flood stopped it', state: 'stopped', details: '{"flood":{"reason":"handle Error","fileHash":"one"}}' }
]
for (const { when, state, details } of kept) {
  t.test(`a runner that works changes nothing when ${when}`, async t => {
    await sql`INSERT INTO function_states (group_id, topic, state, details, since)
      VALUES (${GROUP.groupId}, ${GROUP.topic}, ${state}, ${details}::text::jsonb, now() - interval '1 hour')`

    await operators.work(GROUP.groupId)

    t.match(await find(), { state })
  })
}

t.test('a flood stop stands whatever a runner says, and ends where its first record meets a fault of ours', async t => {
  const flood = { reason: 'handle Error', text: 'flood', fileHash: 'one' }
  await operators.stop(GROUP, flood)
  await stop('no table')
  await operators.stop(GROUP, { ...flood, text: 'another one' })
  t.match(await find(), { state: 'stopped', reason: 'flood' })
  t.match(await createFunctionStateQueries(sql).all(), [{ state: 'stopped', isFlood: true }])

  const writer = createWriter(databaseUrl, { applicationName: 'test' })
  t.teardown(() => writer.close())
  const requests = createFunctionStateRequests(work => writer.transaction(work, LIMITS))
  await requests.resume(GROUP, { id: randomUUID(), operator: null, requestId: null })
  await stop('no table')
  t.match(await find(), { state: 'stopped', reason: 'no table', isProbe: true, flood: { fileHash: 'one' } })
  t.match(await createFunctionStateQueries(sql).all(), [{ state: 'stopped', isFlood: false }])
  await operators.probe(GROUP.groupId, 'two')
  t.match(await find(), { state: 'stopped', reason: 'no table' }, 'it is being tried as it is')

  await age(100)
  await operators.work(GROUP.groupId)
  t.match(await find(), { state: 'running', isProbe: true, isForgotten: false }, 'nobody says so any more')

  await stop('no table')
  await writeFunctionState(sql, { ...GROUP, state: 'running', reason: null })
  t.match(await find(), { state: 'running', isProbe: true }, 'mended')

  await stop('no table')
  await operators.stop(GROUP, { ...flood, text: 'stopped again' })
  t.match(await find(), { state: 'stopped', reason: 'stopped again', isProbe: false })
})
