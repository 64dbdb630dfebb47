import { createHash, randomUUID } from 'node:crypto'
import t from 'tap'
import { type Dead, insertDead, openDatabase } from '../../gateway/_support/database-app.ts'

const { sql, queries, writes } = await openDatabase(t)
const { redrive, redriveSome, discard, expire } = writes.deadLetters
const operation = { id: randomUUID(), operator: 'ada', requestId: 'r1' }
const asked = { editedValue: null, filter: {}, limit: 1_000, overtake: false, operation }
const hash = (key: string) => createHash('sha256').update(key).digest()

const audited = async () =>
  (await sql`SELECT id, operator, action, topic, request_id, details FROM audit ORDER BY at`).map(row => ({ ...row }))

t.beforeEach(() => sql`TRUNCATE dead_letters, blocked_keys, messages, audit`)

const insert = (given?: Dead) => insertDead(sql, given)
const block = (key: string) =>
  sql`INSERT INTO blocked_keys (group_id, key_hash) VALUES ('smg.user-activities', ${hash(key)})`
const stateOf = async (id: string) => (await sql`SELECT state FROM dead_letters WHERE id = ${id}`)[0]?.state

const isWaiting = async () =>
  (await sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`).length > 0

/** Asks while a runner's transaction, which holds the key, is about to commit that the redrive of its head failed. */
async function duringFailure<T>(head: string, ask: () => Promise<T>): Promise<T> {
  let isDone = false
  let asking: Promise<T> | undefined
  await sql.begin(async tx => {
    await tx`SELECT FROM blocked_keys FOR UPDATE`
    await tx`UPDATE dead_letters SET state = 'dead' WHERE id = ${head}`
    asking = ask().finally(() => {
      isDone = true
    })
    while (!isDone && !(await isWaiting())) await new Promise(resolve => setTimeout(resolve, 5))
  })
  return asking as Promise<T>
}

t.test('redrive', async t => {
  t.test('sets one that is dead, with who asked and the edit', async t => {
    const id = await insert()

    const done = await redrive(id, { ...asked, editedValue: Buffer.from('{}').toString('base64') })

    t.match(done, { state: 'redriving', isChanged: true, olderId: null, disposition: 'attempts_exhausted' })
    const [row] = await sql`SELECT state, requested_by, edited_value, value FROM dead_letters`
    t.match(row, { state: 'redriving', requested_by: 'ada', edited_value: Buffer.from('{}') })
    t.equal(String(row?.value), '{"a":1}', 'the original stays')
  })

  t.test('takes the edit of a former redrive away', async t => {
    const id = await insert()
    await sql`UPDATE dead_letters SET edited_value = 'x'`

    await redrive(id, asked)

    t.match(await sql`SELECT edited_value FROM dead_letters`, [{ edited_value: null }])
  })

  for (const state of ['redriving', 'resolved', 'discarded']) {
    t.test(`changes nothing of one that is ${state}`, async t => {
      const id = await insert({ state })

      t.match(await redrive(id, asked), { state, isChanged: false })

      t.match(await sql`SELECT state, requested_by FROM dead_letters`, [{ state, requested_by: null }])
    })
  }

  t.test('knows of none', async t => {
    t.equal(await redrive('019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b', asked), undefined)
  })

  t.test('rule 21: names the oldest one of its key that is still dead', async t => {
    const older = await insert({ offset: 5 })
    await insert({ offset: 6 })
    const id = await insert({ offset: 7 })

    t.match(await redrive(id, asked), { state: 'dead', isChanged: false, olderId: older })
    t.match(await redrive(id, { ...asked, overtake: true }), { state: 'redriving', isChanged: true })
  })

  const free = [
    { when: 'is redriven', other: { offset: 5, state: 'redriving' } },
    { when: 'is resolved', other: { offset: 5, state: 'resolved' } },
    { when: 'is discarded', other: { offset: 5, state: 'discarded' } },
    { when: 'is younger', other: { offset: 9 } },
    { when: 'has another key', other: { offset: 5, key: 'other' } },
    { when: 'has no key', other: { offset: 5, key: null } },
    { when: 'is of another function', other: { offset: 5, topic: 'error-logs' } }
  ]
  for (const { when, other } of free) {
    t.test(`does not wait for one that ${when}`, async t => {
      await insert(other)
      const id = await insert({ offset: 7 })

      t.match(await redrive(id, asked), { isChanged: true })
    })
  }

  t.test('does not hold those without a key back', async t => {
    await insert({ offset: 5, key: null })
    const id = await insert({ offset: 7, key: null })

    t.match(await redrive(id, asked), { isChanged: true })
  })

  t.test('rule 22: never lets a parked one go past its head', async t => {
    const head = await insert({ offset: 5 })
    const parked = await insert({ offset: 6, disposition: 'parked_behind_key' })
    const last = await insert({ offset: 7, disposition: 'parked_behind_key' })
    const overtake = { ...asked, overtake: true }

    t.match(await redrive(last, overtake), { isChanged: false, olderId: head })
    await redrive(head, asked)
    t.match(await redrive(last, asked), { isChanged: false, olderId: parked })
    t.match(await redrive(last, overtake), { isChanged: true })
  })

  t.test('sees what another did while it waited for the row', async t => {
    const id = await insert()
    let asking: ReturnType<typeof redrive> = Promise.resolve(undefined)

    await sql.begin(async tx => {
      await tx`UPDATE dead_letters SET state = 'redriving' WHERE id = ${id}`
      asking = redrive(id, asked)
      while (!(await isWaiting())) await new Promise(resolve => setTimeout(resolve, 5))
    })

    t.match(await asking, { state: 'redriving', isChanged: false })
  })

  t.test('rule 22: does not pass a head that is failing again right now', async t => {
    await block('k')
    const head = await insert({ offset: 5, state: 'redriving' })
    const parked = await insert({ offset: 6, disposition: 'parked_behind_key' })

    const done = await duringFailure(head, () => redrive(parked, asked))

    t.match(done, { state: 'dead', isChanged: false, olderId: head })
    t.equal(await stateOf(parked), 'dead')
  })

  t.test('is done once by many at the same instant', async t => {
    const id = await insert()

    const done = await Promise.all(Array.from({ length: 10 }, () => redrive(id, asked)))

    t.equal(done.filter(one => one?.isChanged).length, 1)
    t.strictSame(new Set(done.map(one => one?.state)), new Set(['redriving']))
  })
})

t.test('redriveSome', async t => {
  t.test('takes a whole key, and skips what an older one outside of the request holds back', async t => {
    const whole = [await insert({ key: 'a', offset: 1 }), await insert({ key: 'a', offset: 2 })]
    await insert({ key: 'b', offset: 1 })
    const held = await insert({ key: 'b', offset: 2 })
    const all = [...whole, held]

    t.equal(await queries.redrivable.countHeldBack(all, asked), 1)
    t.strictSame(await redriveSome(all, { all, ...asked }), { redriven: 2, skipped: 1 })

    t.equal(await stateOf(held), 'dead')
    t.strictSame(await redriveSome(all, { all, ...asked }), { redriven: 0, skipped: 1 }, 'nothing twice')
    t.strictSame(await redriveSome([held], { all, ...asked, overtake: true }), { redriven: 1, skipped: 0 })
  })

  t.test('lets a portion go although the older one of its key comes in a later portion', async t => {
    const older = await insert({ offset: 1 })
    const younger = await insert({ offset: 2 })
    const all = [younger, older]

    t.strictSame(await redriveSome([younger], { all, ...asked }), { redriven: 1, skipped: 0 })
  })

  t.test('rule 22: does not pass a head that is failing again right now', async t => {
    await block('k')
    const head = await insert({ offset: 5, state: 'redriving' })
    const parked = await insert({ offset: 6, disposition: 'parked_behind_key' })
    const all = [parked]

    const done = await duringFailure(head, () => redriveSome(all, { all, ...asked }))

    t.strictSame(done, { redriven: 0, skipped: 1 })
    t.equal(await stateOf(parked), 'dead')
  })

  t.test('never loses count when two ask for the same', async t => {
    const all = await Promise.all(Array.from({ length: 100 }, (_, index) => insert({ key: `k${index}` })))

    const done = await Promise.all([
      redriveSome(all, { all, ...asked }),
      redriveSome(all.toReversed(), { all, ...asked })
    ])

    t.equal(
      done.reduce((sum, { redriven }) => sum + redriven, 0),
      100
    )
  })
})

t.test('discard', async t => {
  t.test('gives one that is dead up, for good', async t => {
    const id = await insert()

    t.equal(await discard(id, operation), 'discarded')
    t.equal(await discard(id, { ...operation, operator: 'eve' }), 'discarded')

    const [row] = await sql`SELECT state, requested_by, resolved_at IS NOT NULL AS is_done, value FROM dead_letters`
    t.match(row, { state: 'discarded', requested_by: 'ada', is_done: true })
    t.ok(row?.value, 'the row stays, with its value')
  })

  t.test('leaves one that is redriven or resolved', async t => {
    const redriving = await insert({ state: 'redriving' })
    const resolved = await insert({ state: 'resolved' })

    t.equal(await discard(redriving, operation), 'redriving')
    t.equal(await discard(resolved, operation), 'resolved')
    t.equal(await discard('019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b', operation), undefined)
    t.strictSame([await stateOf(redriving), await stateOf(resolved)], ['redriving', 'resolved'])
  })

  t.test('rule 22: lets the parked ones go with the last head, in the same transaction', async t => {
    await block('k')
    const head = await insert({ offset: 5 })
    const parked = await insert({ offset: 6, disposition: 'parked_behind_key' })

    t.equal(await discard(head, operation), 'discarded')

    t.equal(await stateOf(parked), 'redriving')
    t.equal((await sql`SELECT FROM blocked_keys`).length, 1, 'the key is blocked until they have run')
  })

  t.test('rule 22: leaves the parked ones behind a head that is failing again right now', async t => {
    await block('k')
    const first = await insert({ offset: 4 })
    const head = await insert({ offset: 5, state: 'redriving' })
    const parked = await insert({ offset: 6, disposition: 'parked_behind_key' })

    t.equal(await duringFailure(head, () => discard(first, operation)), 'discarded')

    t.equal(await stateOf(parked), 'dead')
  })

  t.test('rule 22: unblocks a key that holds nothing any more', async t => {
    await block('k')
    const head = await insert({ offset: 5 })

    await discard(head, operation)

    t.equal((await sql`SELECT FROM blocked_keys`).length, 0)
  })
})

t.test('expire deletes what was resolved or discarded long ago, and never what is dead', async t => {
  const long = '2026-01-01T00:00:00Z'
  for (const state of ['resolved', 'discarded']) await insert({ state, resolvedAt: long })
  const dead = await insert()
  const fresh = await insert({ state: 'resolved', resolvedAt: new Date().toISOString() })

  t.equal(await expire(3_600_000), 2)
  t.equal(await expire(3_600_000), 0)

  const ids = (await sql`SELECT id FROM dead_letters`).map(({ id }) => id)
  t.strictSame(ids.toSorted(), [dead, fresh].toSorted())
})

t.test('redrivable', async t => {
  t.test('counts the dead ones of a filter by reason, most first', async t => {
    await insert()
    await insert()
    await insert({ stage: 'validate', disposition: 'validation_failed', errorName: 'SMG_SDK_BAD_EVENT' })
    await insert({ state: 'resolved' })
    await insert({ topic: 'error-logs' })

    t.strictSame(await queries.redrivable.count({ topic: 'user-activities' }), {
      matched: 3,
      reasons: [
        { stage: 'handle', disposition: 'attempts_exhausted', error: 'Error', count: 2 },
        { stage: 'validate', disposition: 'validation_failed', error: 'SMG_SDK_BAD_EVENT', count: 1 }
      ]
    })
    t.strictSame(await queries.redrivable.count({ error: 'none' }), { matched: 0, reasons: [] })
  })

  t.test('lists those that died first before the others, up to a limit', async t => {
    const late = await insert({ offset: 1, createdAt: '2026-02-01T00:00:00Z' })
    const second = await insert({ offset: 3 })
    const first = await insert({ offset: 2 })

    t.strictSame(await queries.redrivable.list({}, 2), [first, second])
    t.strictSame(await queries.redrivable.list({ from: '2026-01-01T00:00:00Z' }, 9), [first, second, late])
  })

  t.test('counts what was settled of a key behind a record', async t => {
    const message = (offset: number, { key = 'k', partition = 0, minute = 1 } = {}) =>
      sql`INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
        VALUES ('user-activities', gen_random_uuid(), ${partition}, ${offset}, ${key}, '{}', '{}',
          ${`2026-01-31T12:0${minute}:00Z`}::text::timestamptz)`
    await message(4, { minute: 0 })
    await message(6)
    await message(7)
    await message(8, { key: 'other' })
    await message(9, { partition: 1 })

    const place = { topic: 'user-activities', partition: 0, offset: '5', key: 'k', timestamp: '2026-01-31T12:00:00Z' }
    t.equal(await queries.redrivable.countLaterSettled(place), 2)
    t.equal(await queries.redrivable.countLaterSettled({ ...place, key: 'none' }), 0)
  })
})

t.test('the audit', async t => {
  const who = { id: operation.id, operator: 'ada', request_id: 'r1', topic: 'user-activities' }

  t.test('has a redrive with who asked, and not the one that changed nothing', async t => {
    const id = await insert()

    await redrive(id, { ...asked, editedValue: 'e30=' })
    await redrive(id, { ...asked, operation: { ...operation, id: randomUUID() } })

    t.strictSame(await audited(), [{ ...who, action: 'redrive', details: { id, isEdited: true, overtake: false } }])
  })

  t.test('has a discard, and none of what was discarded before', async t => {
    const id = await insert()

    await discard(id, operation)
    await discard(id, { ...operation, id: randomUUID() })

    t.strictSame(await audited(), [{ ...who, action: 'discard', details: { id } }])
  })

  t.test('has many as one action, which counts what each transaction of it did', async t => {
    const [first, second, held] = await Promise.all([
      insert({ key: 'a' }),
      insert({ key: 'b' }),
      insert({ key: 'c', offset: 7 })
    ])
    await insert({ key: 'c', offset: 1 })
    const filter = { topic: 'user-activities' }

    await redriveSome([first], { all: [first, second, held], ...asked, filter })
    await redriveSome([second, held], { all: [second, held], ...asked, filter })
    await redriveSome([held], { all: [held], ...asked, operation: { ...operation, id: randomUUID() } })

    const details = { filter, limit: 1_000, overtake: false, redriven: 2, skipped: 1 }
    t.strictSame(await audited(), [{ ...who, action: 'redrive_many', details }])
  })

  t.test('has nothing of an action that was rolled back', async t => {
    const id = await insert()
    await sql.unsafe(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
      CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()`)
    t.teardown(() => sql.unsafe('DROP TRIGGER refuse ON audit; DROP FUNCTION refuse'))

    await t.rejects(redrive(id, asked), { code: 'P0001' })

    t.equal(await stateOf(id), 'dead', 'there is not one without the other')
    t.strictSame(await audited(), [])
  })
})
