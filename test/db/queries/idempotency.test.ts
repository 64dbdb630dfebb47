import t from 'tap'
import type { Claimed } from '../../../db/queries/idempotency.ts'
import { openDatabase, PRODUCE_TIMEOUT_MS } from '../../gateway/_support/database-app.ts'

const TTL_MS = 3_600_000
const { sql, writes } = await openDatabase(t, { ttlMs: TTL_MS })
const { claim, find, finish, release, forget, expire } = writes.idempotency

const request = { subject: 'ada', route: 'POST /api/produce/a', key: 'k-1', bodyHash: 'aa'.repeat(32) }
const planOf = (id: string) => ({ records: [{ id, partition: 2 }], timestampMs: Date.UTC(2026, 0, 31, 12, 0, 0, 123) })
const first = planOf('019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b')
const second = planOf('019c1a2b-3c4d-7e5f-8a6b-000000000000')
const answer = { status: 202, answer: { id: first.records[0]?.id, offset: '41' } }

t.beforeEach(() => sql`TRUNCATE idempotency_keys`)

function claimed(outcome: Claimed) {
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${outcome.kind}`)
  return outcome
}

/** Moves a request into the past. */
function age(ms: number) {
  return sql`UPDATE idempotency_keys SET started_at = started_at - ${ms} * interval '1 ms',
    created_at = created_at - ${ms} * interval '1 ms'`
}

t.test('rule 24: stores the plan with the first claim, to the millisecond', async t => {
  t.match(await claim(request, first), { kind: 'claimed', plan: first, before: null, isNew: true })

  const [row] = await sql`SELECT records, timestamp, status, answer FROM idempotency_keys`
  t.match(row, { records: first.records, status: null, answer: null })
})

t.test('rule 24: gives one claim to many at the same instant', async t => {
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => claim(request, first)))

  const kinds = outcomes.map(({ kind }) => kind)
  t.equal(kinds.filter(kind => kind === 'claimed').length, 1)
  t.equal(kinds.filter(kind => kind === 'in-flight').length, 19)
})

t.test('rule 24: gives the answer to a repeat, and never another plan', async t => {
  await claim(request, first)

  t.match(await finish(request, answer), { kind: 'answered', ...answer })

  t.match(await claim(request, second), { kind: 'answered', ...answer })
  t.match(await find(request), { kind: 'answered', ...answer })
})

const others = [
  { when: 'subject', other: { ...request, subject: 'eve' } },
  { when: 'route', other: { ...request, route: 'POST /api/produce/b' } },
  { when: 'key', other: { ...request, key: 'k-2' } }
]
for (const { when, other } of others) {
  t.test(`rule 24: takes a request with another ${when} for another request`, async t => {
    await claim(request, first)
    await finish(request, answer)

    t.equal(await find(other), undefined)
    t.match(await claim(other, second), { kind: 'claimed', plan: second, isNew: true })
  })
}

t.test('rule 24: refuses another body, before and after the answer and after a failure', async t => {
  const other = { ...request, bodyHash: 'bb'.repeat(32) }
  const { token } = claimed(await claim(request, first))
  t.strictSame(await claim(other, second), { kind: 'other-body' })

  await release(request, { token }, null)
  t.strictSame(await claim(other, second), { kind: 'other-body' })
  await finish(request, answer)
  t.strictSame(await claim(other, second), { kind: 'other-body' })
  t.strictSame(await find(other), { kind: 'other-body' })
})

t.test('rule 24: lets a repeat go on with the first plan when the time of the produce is over', async t => {
  await claim(request, first)
  await age(PRODUCE_TIMEOUT_MS - 200)
  t.strictSame(await claim(request, second), { kind: 'in-flight' })

  await age(300)

  t.match(await claim(request, second), { kind: 'claimed', plan: first, isNew: false })
  t.strictSame(await claim(request, second), { kind: 'in-flight' }, 'and nobody else')
})

t.test('rule 24: lets a repeat go on that was begun while the clock of the database was ahead', async t => {
  await claim(request, first)
  await age(-3_600_000)

  t.match(await claim(request, second), { kind: 'claimed', plan: first, isNew: false })
  t.strictSame(await claim(request, second), { kind: 'in-flight' }, 'and nobody else')
})

t.test('rule 24: lets a repeat go on at once after an answer that nobody can rely on', async t => {
  const { token } = claimed(await claim(request, first))
  await release(request, { token }, { results: [1] })

  const again = claimed(await claim(request, second))

  t.match(again, { plan: first, before: { results: [1] }, isNew: false })
})

t.test('rule 24: keeps the first answer when two produced it', async t => {
  await claim(request, first)
  await age(PRODUCE_TIMEOUT_MS + 1)
  await claim(request, first)

  await finish(request, answer)
  const late = await finish(request, { status: 202, answer: { offset: '42' } })

  t.match(late, answer)
})

t.test('a claim that is over releases and forgets nothing', async t => {
  const { token } = claimed(await claim(request, first))
  await age(PRODUCE_TIMEOUT_MS + 1)
  await claim(request, first)

  await release(request, { token }, null)
  await forget(request, { token })

  t.strictSame(await claim(request, first), { kind: 'in-flight' })
})

t.test('forgets a request of which nothing was written', async t => {
  const { token } = claimed(await claim(request, first))

  await forget(request, { token })

  t.match(await claim({ ...request, bodyHash: 'bb'.repeat(32) }, second), { kind: 'claimed', plan: second })
})

t.test('takes a request for a new one when its time is over, also before it is deleted', async t => {
  await claim(request, first)
  await finish(request, answer)
  await age(TTL_MS + 1)

  t.match(await claim({ ...request, bodyHash: 'bb'.repeat(32) }, second), {
    kind: 'claimed',
    plan: second,
    isNew: true
  })
})

t.test('deletes what is older than its time, and nothing else', async t => {
  await claim(request, first)
  await age(TTL_MS + 1)
  await claim({ ...request, key: 'young' }, first)

  t.equal(await expire(), 1)
  t.equal(await expire(), 0)
  t.match(await sql`SELECT key FROM idempotency_keys`, [{ key: 'young' }])
})
