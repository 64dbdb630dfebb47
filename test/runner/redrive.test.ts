import { sql as statement } from 'drizzle-orm'
import { integer, pgTable, uuid } from 'drizzle-orm/pg-core'
import { pino } from 'pino'
import t from 'tap'
import { createDeadLetterRequests } from '../../db/queries/dead-letter-requests.ts'
import { createRowWriter } from '../../db/queries/row-writer.ts'
import { createWriter } from '../../db/writer.ts'
import { createGate } from '../../runner/gate.ts'
import { PRODUCER_ID } from '../../runner/identify.ts'
import { createMetrics } from '../../runner/metrics.ts'
import { createRedriver } from '../../runner/redrive.ts'
import { createRedriveTrials } from '../../runner/redrive-trials.ts'
import type { WriteDependencies } from '../../runner/settled.ts'
import { toEntry } from '../../runner/to-entry.ts'
import { createTurn } from '../../runner/turn.ts'
import { writeOutcomes } from '../../runner/write-outcomes.ts'
import { createWriterPool } from '../../runner/writer-pool.ts'
import { NonRetriableError, Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, fetched, identified, idOf, noPublish, PLACE } from './_support/records.ts'

const event = Type.Object({ n: Type.Number() })
const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const points = pgTable('points', { id: uuid().primaryKey(), n: integer().notNull() })
const { databaseUrl, sql } = await createTestDatabase(t)
await sql`CREATE TABLE points (id uuid PRIMARY KEY, n int NOT NULL CHECK (n >= 0))`
await sql`CREATE TABLE effects (n int, key text, at serial)`

/** Empties the tables and writes dead letters; `[key, n, state?]`, at the offsets 0, 1, 2, … */
async function bury(
  letters: readonly (readonly [key: string | null, n: unknown, state?: string, disposition?: string])[]
) {
  await sql`TRUNCATE messages, dead_letters, topic_status, outbox, blocked_keys, points, effects RESTART IDENTITY`
  await sql`INSERT INTO topic_status (group_id, topic, partition, next_offset) VALUES (${PLACE.groupId}, ${PLACE.topic}, 0, 1000)`
  for (const [offset, [key, n, state = 'redriving', disposition = 'attempts_exhausted']] of letters.entries()) {
    const value = Buffer.from(JSON.stringify({ n }))
    await sql`
      INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp, stage,
        disposition, error_name, error_message, attempts, state)
      VALUES (${idOf(1000 + offset)}, ${PLACE.groupId}, ${PLACE.topic}, ${idOf(offset)}, 0, ${offset},
        ${key === null ? null : Buffer.from(key)}, ${value}, '[]', now(), 'handle', ${disposition}, 'Error', 'no', 3, ${state})`
  }
}

function createTestRedriver(
  t: Teardown,
  definition: LoadedFunction,
  { isPaused = () => false, log = silent }: { isPaused?: () => boolean; log?: typeof silent } = {}
) {
  const pool = createWriterPool(databaseUrl, { size: 1, applicationName: 'test' })
  const shutdown = new AbortController()
  const { ordering } = definition.options
  const rowWriter = definition.table ? createRowWriter(definition.table) : null
  const redriver = createRedriver({
    definition,
    pool,
    limits,
    write: { ...PLACE, ordering, rowWriter, toOutboxEntries: () => [], nowMs: Date.now },
    settle: { log: silent, shutdown: shutdown.signal, toPublished: noPublish },
    gate: createGate(64),
    turn: createTurn(),
    trials: createRedriveTrials(sql),
    metrics: createMetrics(),
    isPaused,
    log
  })
  redriver.start()
  t.teardown(async () => {
    await redriver.stop()
    shutdown.abort()
    await pool.close()
  })
  return redriver
}

async function states(): Promise<string[]> {
  const rows = await sql`SELECT state FROM dead_letters ORDER BY "offset"`
  return rows.map(({ state }) => state)
}

async function effects(): Promise<string[]> {
  const rows = await sql`SELECT key, n FROM effects ORDER BY at`
  return rows.map(({ key, n }) => `${key}${n}`)
}

const rowFunction = defineTestFunction({
  event,
  table: points,
  handle: ({ event: { n } }: Input<typeof event>) => ({ n })
})

function toTransactionFunction(
  options: object = {},
  before: (input: Input, context: TransactionContext) => unknown = () => undefined
) {
  return defineTestFunction({
    event,
    backoffMs: { min: 1, max: 1 },
    ...options,
    handle: async (input: Input<typeof event>, context: TransactionContext) => {
      await before(input, context)
      await context.tx.execute(statement`INSERT INTO effects (n, key) VALUES (${input.event.n}, ${input.key})`)
    }
  })
}

t.test('settles a dead letter with its effect, its message and its count', async t => {
  await bury([['a', 1]])
  const redriver = createTestRedriver(t, rowFunction)

  redriver.wake()
  await until(async () => (await states())[0] === 'resolved')

  const rows = await sql`SELECT p.id::text, p.n, m."offset"::int AS at, m.key FROM points p JOIN messages m USING (id)`
  t.strictSame([...rows], [{ id: idOf(0), n: 1, at: 0, key: 'a' }])
  const [counts] = await sql`SELECT message_count::int AS messages, row_count::int AS rows FROM topic_status`
  t.strictSame({ ...counts }, { messages: 1, rows: 1 })
})

t.test('writes what became of each with its trace', async t => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  await bury([
    ['a', 1],
    ['b', -1]
  ])
  const header = Buffer.from(`00-${traceId}-00f067aa0ba902b7-01`).toString('base64')
  await sql`UPDATE dead_letters SET headers = ${JSON.stringify([['traceparent', header]])}::text::json`

  createTestRedriver(t, rowFunction, { log }).wake()
  await until(() => lines.some(({ msg }) => msg === 'dead letters were redriven'))

  const find = (text: string) => lines.filter(({ msg }) => msg === text)
  t.match(find('dead letter resolved'), [{ level: 30, eventId: idOf(0), partition: 0, offset: '0', traceId }])
  t.match(find('dead letter'), [
    { level: 40, eventId: idOf(1), offset: '1', traceId, stage: 'persist', error: 'sql:23514' }
  ])
})

t.test('rule 21: two redrivers give each of many dead letters its effect once, in the order of its key', async t => {
  const keys = ['a', 'b', 'c', 'd', 'e']
  await bury(Array.from({ length: 300 }, (_, index) => [keys[index % 5] as string, index] as const))
  const definition = toTransactionFunction()
  const redrivers = [createTestRedriver(t, definition), createTestRedriver(t, definition)]

  for (const redriver of redrivers) redriver.wake()
  await until(async () => (await states()).every(state => state === 'resolved'), 20_000)

  const done = await effects()
  t.equal(done.length, 300)
  for (const [index, key] of keys.entries()) {
    const expected = Array.from({ length: 60 }, (_, turn) => `${key}${turn * 5 + index}`)
    t.strictSame(
      done.filter(effect => effect.startsWith(key)),
      expected,
      `key ${key}`
    )
  }
})

t.test('a letter that fails again is dead with the new error, and what is behind it in its key goes back', async t => {
  await bury([
    ['a', 0],
    ['a', 1],
    ['a', 2],
    ['b', 3],
    [null, 4]
  ])
  const attempts: number[] = []
  const definition = toTransactionFunction({ maxAttempts: 2 }, ({ offset }, { attempt, isRedrive }) => {
    t.equal(isRedrive, true)
    if (offset !== '1') return
    attempts.push(attempt)
    throw new RangeError('still broken')
  })
  const redriver = createTestRedriver(t, definition)

  redriver.wake()
  await until(async () => !(await states()).includes('redriving'))

  t.strictSame(await states(), ['resolved', 'dead', 'dead', 'resolved', 'resolved'])
  t.strictSame(attempts, [4, 5], 'goes on counting')
  const [again] =
    await sql`SELECT attempts, error_name AS name, error_message AS message, disposition FROM dead_letters WHERE "offset" = 1`
  t.strictSame(
    { ...again },
    { attempts: 5, name: 'RangeError', message: 'still broken', disposition: 'attempts_exhausted' }
  )
  t.strictSame((await effects()).toSorted(), ['a0', 'b3', 'null4'])
})

t.test('rule 21: forgets a letter that another runner settled while it waited for its next attempt', async t => {
  await bury([['a', 1]])
  let turns = 0
  const attempts: number[] = []
  const definition = toTransactionFunction({ backoffMs: { min: 200, max: 200 } }, (_input, { attempt }) => {
    attempts.push(attempt)
    throw new Error('not yet')
  })
  const isPaused = () => {
    turns += 1
    return false
  }
  const redriver = createTestRedriver(t, definition, { isPaused })

  redriver.wake()
  await until(() => attempts.length === 1)
  await sql`UPDATE dead_letters SET state = 'dead'`
  await new Promise(resolve => setTimeout(resolve, 400))
  const before = turns
  await new Promise(resolve => setTimeout(resolve, 300))
  t.equal(turns, before, 'it sleeps')

  await sql`UPDATE dead_letters SET state = 'redriving'`
  redriver.wake()
  await until(async () => (await states())[0] === 'dead')
  t.strictSame(attempts, [4, 4, 5, 6], 'a redrive asked for anew has all its attempts')
})

t.test('a row that PostgreSQL refuses fails alone, and holds back its key', async t => {
  await bury([
    ['a', 0],
    ['b', -1],
    ['b', 2],
    ['c', 3]
  ])
  const redriver = createTestRedriver(t, rowFunction)

  redriver.wake()
  await until(async () => !(await states()).includes('redriving'))

  t.strictSame(await states(), ['resolved', 'dead', 'dead', 'resolved'])
  const [refused] = await sql`SELECT stage, disposition, error_name AS name FROM dead_letters WHERE "offset" = 1`
  t.strictSame({ ...refused }, { stage: 'persist', disposition: 'non_retriable', name: 'sql:23514' })
  t.strictSame(
    [...(await sql`SELECT n FROM points ORDER BY n`)].map(({ n }) => n),
    [0, 3]
  )
})

t.test('runs the value that an operator put in place of the broken one, and keeps the broken one', async t => {
  await bury([['a', 'seven']])
  await sql`UPDATE dead_letters SET edited_value = ${Buffer.from('{"n":7}')}`
  const redriver = createTestRedriver(t, rowFunction)

  redriver.wake()
  await until(async () => (await states())[0] === 'resolved')

  const [row] = await sql`SELECT p.n, convert_from(d.value, 'utf8') AS value FROM points p, dead_letters d`
  t.strictSame({ ...row }, { n: 7, value: '{"n":"seven"}' })
})

t.test('rule 10: an event that had its effect already is resolved without another', async t => {
  await bury([['a', 1]])
  await sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
    VALUES (${PLACE.topic}, ${idOf(0)}, 0, 0, '{"n":1}', '{}', now())`
  const redriver = createTestRedriver(t, toTransactionFunction())

  redriver.wake()
  await until(async () => (await states())[0] === 'resolved')

  t.strictSame(await effects(), [])
})

t.test('gives a letter up at once when its function does, whatever attempts are left', async t => {
  await bury([[null, 1]])
  const redriver = createTestRedriver(
    t,
    toTransactionFunction({ maxAttempts: 5 }, () => {
      throw new NonRetriableError('never')
    })
  )

  redriver.wake()
  await until(async () => (await states())[0] === 'dead')

  const [letter] = await sql`SELECT attempts, disposition FROM dead_letters`
  t.strictSame({ ...letter }, { attempts: 4, disposition: 'non_retriable' })
})

t.test(
  'rule 22: what was parked behind a head runs in order when the head is resolved, and unblocks its key',
  async t => {
    const parked = ['dead', 'parked_behind_key'] as const
    await bury([
      ['a', 0],
      ['a', 1, ...parked],
      ['a', 2, ...parked],
      ['b', 3, ...parked]
    ])
    await sql`INSERT INTO blocked_keys (group_id, key_hash) SELECT ${PLACE.groupId}, sha256(key) FROM unnest(ARRAY['a', 'b']::bytea[]) AS given(key)`
    const redriver = createTestRedriver(t, toTransactionFunction({ ordering: 'key' }))

    redriver.wake()
    await until(async () => (await sql`SELECT FROM blocked_keys`).length === 1)

    t.strictSame(await effects(), ['a0', 'a1', 'a2'])
    t.strictSame(
      await states(),
      ['resolved', 'resolved', 'resolved', 'dead'],
      'the other key still waits for its own head'
    )
  }
)

for (const { ask, before, after } of [
  { ask: 'redrive', before: 'resolved', after: 'resolved' },
  { ask: 'discard', before: 'dead', after: 'discarded' }
]) {
  t.test(`rule 22: nothing parked runs before a head that fails while an operator asks for a ${ask}`, async t => {
    await bury([
      ['a', 0, before],
      ['a', -1],
      ['a', 2, 'dead', 'parked_behind_key'],
      ['b', 3]
    ])
    await sql`INSERT INTO blocked_keys (group_id, key_hash) VALUES (${PLACE.groupId}, sha256('a'))`
    // It stands between the failure that is written and the commit.
    await sql`CREATE OR REPLACE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN IF NEW."offset" = 3 THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NEW; END'`
    await sql`CREATE TRIGGER stand BEFORE UPDATE ON dead_letters FOR EACH ROW EXECUTE FUNCTION stand()`
    t.teardown(() => sql`DROP TRIGGER stand ON dead_letters`.then())
    const writer = createWriter(databaseUrl, { applicationName: 'test' })
    t.teardown(() => writer.close())
    const requests = createDeadLetterRequests(sql, work => writer.transaction(work, limits))
    const operation = { id: idOf(1), operator: null, requestId: null }
    const waiting = async () =>
      (await sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`).length
    let asking: Promise<unknown> = Promise.resolve()
    let isAnswered = false

    await sql.begin(async tx => {
      await tx`SELECT pg_advisory_xact_lock(7)`
      createTestRedriver(t, { ...rowFunction, options: { ...rowFunction.options, ordering: 'key' } }).wake()
      await until(async () => (await waiting()) === 1)
      asking =
        ask === 'redrive'
          ? requests.redrive(idOf(1002), { editedValue: null, overtake: false, operation })
          : requests.discard(idOf(1000), operation)
      void asking.finally(() => {
        isAnswered = true
      })
      await until(async () => isAnswered || (await waiting()) === 2)
    })
    await asking
    await until(async () => !(await states()).includes('redriving'))

    t.strictSame(await states(), [after, 'dead', 'dead', 'resolved'])
    t.strictSame(
      [...(await sql`SELECT n FROM points`)].map(({ n }) => n),
      [3]
    )
  })
}

t.test('rule 12: a row that PostgreSQL refused leaves a dead letter alone, and its redrive succeeds', async t => {
  await bury([])
  const rowWriter = createRowWriter(points)
  const record = identified(0, { n: -1 })
  const outcome = {
    kind: 'handled',
    event: {},
    effect: { n: -1 },
    published: [{ topic: 'bills', key: null, value: Buffer.from('{}') }]
  } as const
  const bill = { topic: 'bills', partition: 0, eventId: idOf(9), key: null, value: null, headers: [] }
  const dependencies: WriteDependencies = {
    ...PLACE,
    ordering: 'partition',
    rowWriter,
    flood: { check: async () => undefined },
    topicIdOf: () => null,
    toOutboxEntries: () => [{ ...bill, timestamp: '2026-01-31T12:00:00Z' }],
    nowMs: Date.now
  }
  const pool = createWriterPool(databaseUrl, { size: 1, applicationName: 'test' })
  t.teardown(() => pool.close())

  const settled = [{ record, outcome, entry: toEntry(record, [{ n: -1 }], rowWriter) }]
  await pool.transaction(tx => writeOutcomes(tx, settled, { care: 'again' }, dependencies), limits)
  const [left] =
    await sql`SELECT (SELECT count(*)::int FROM messages) AS messages, (SELECT count(*)::int FROM outbox) AS outbox,
    (SELECT count(*)::int FROM points) AS rows, (SELECT string_agg(disposition, ',') FROM dead_letters) AS letters`
  t.strictSame({ ...left }, { messages: 0, outbox: 0, rows: 0, letters: 'non_retriable' })

  await sql`ALTER TABLE points DROP CONSTRAINT points_n_check`
  t.teardown(() => sql`ALTER TABLE points ADD CHECK (n >= 0) NOT VALID`.then())
  await sql`UPDATE dead_letters SET state = 'redriving'`
  createTestRedriver(t, rowFunction).wake()
  await until(async () => (await states())[0] === 'resolved')

  const rows = await sql`SELECT p.n, m."offset"::int AS at FROM points p JOIN messages m USING (id)`
  t.strictSame([...rows], [{ n: -1, at: 0 }])
})

// In the transaction of the redrive the event comes first and the position last, in that of the copy it is the other way
// round: each waits for the other, and PostgreSQL ends the one whose wait is a second old when both do.
for (const { when, waitMs } of [
  { when: 'it has not waited long', waitMs: 0 },
  { when: 'it has waited for longer than PostgreSQL takes to look for a deadlock', waitMs: 1_500 }
]) {
  t.test(`rule 21: an event and its copy that arrives during the redrive have one effect when ${when}`, async t => {
    let open: (value?: unknown) => void = () => undefined
    const door = new Promise(resolve => {
      open = resolve
    })
    const offsets: string[] = []
    const definition = toTransactionFunction({}, ({ offset }) => {
      offsets.push(offset)
      return door
    })
    const log = { logStartOffset: 0n, logEndOffset: 2_000n }
    const { attachment, kafka, position } = await createTestAttachment(t, definition, {
      bounds: { 0: log },
      database: { databaseUrl, sql }
    })
    await bury([['a', 0]])
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    createTestRedriver(t, definition).wake()
    await until(() => offsets.length === 1)
    const headers = Object.entries({ id: idOf(0), 'producer-id': PRODUCER_ID })
    const copy = fetched(
      1_000,
      { n: 0 },
      { key: Buffer.from('a'), headers: headers.map(([name, text]) => [name, Buffer.from(text)] as const) }
    )
    await kafka.deliver(batch(1_000, [copy]))
    await until(async () => {
      const waiting = await sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
        AND datname = current_database() AND now() - query_start >= ${waitMs} * interval '1 ms'`
      return waiting.length > 0
    })
    t.notOk(offsets.includes('1000'), 'it is not handled beside the event')
    open()
    await until(async () => (await position())?.next === 1_001 && (await states())[0] === 'resolved')

    t.strictSame(await effects(), ['a0'])
    const messages = await sql`SELECT "offset"::int AS at FROM messages`
    t.equal(messages.length, 1)
    const isOfCopy = messages[0]?.at === 1_000
    t.match(await position(), { next: 1_001, duplicates: isOfCopy ? 0 : 1 })
    const [counts] = await sql`SELECT message_count::int AS messages FROM topic_status`
    t.strictSame({ ...counts }, { messages: 1 })
  })
}
