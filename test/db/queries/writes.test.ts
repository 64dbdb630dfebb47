import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createDatabase } from '../../../db/client.ts'
import { findKnown } from '../../../db/queries/dead-letter-import.ts'
import { addCopies, insertDeadLetters, type NewDeadLetter } from '../../../db/queries/dead-letter-writes.ts'
import { findSettled, type InboxEntry, writeInbox } from '../../../db/queries/inbox.ts'
import { createOutboxQueries, insertOutbox, type OutboxEntry } from '../../../db/queries/outbox.ts'
import { FIND_OUTCOMES } from '../../../db/queries/outcomes.ts'
import { advancePositions, createPositionQueries, lockPositions, type Step } from '../../../db/queries/positions.ts'
import { createRowWriter } from '../../../db/queries/row-writer.ts'
import { userActivities } from '../../../db/tables/user-activities.ts'
import type { WriteTransaction } from '../../../db/write-transaction.ts'
import { createWriter } from '../../../db/writer.ts'
import { createTestDatabase } from '../../_support/database.ts'
import { until } from '../../_support/kafka.ts'

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const PLACE = { groupId: 'smg.a', topic: 'a' }
const TOPIC_ID = '00000000-0000-4000-8000-000000000001'

const { databaseUrl, sql } = await createTestDatabase(t)
const database = createDatabase(databaseUrl, { max: 4, applicationName: 'test' })
const writer = createWriter(databaseUrl, { applicationName: 'test-writer' })
t.teardown(() => Promise.all([database.close(), writer.close()]))
const write = <T>(work: (tx: WriteTransaction) => Promise<T>) => writer.transaction(work, LIMITS)

t.beforeEach(() => sql`TRUNCATE messages, dead_letters, topic_status, outbox, outbox_leases, user_activities`)

t.test('positions', async t => {
  const positions = createPositionQueries(database.sql)
  const start = { partition: 0, nextOffset: 9007199254740993n, topicId: TOPIC_ID }
  const step = (partition: number, expected: string, next: string): Step => ({
    ...{ partition, expected, next, messages: 3, rows: 2, deadLetters: 1, duplicates: 4 },
    lastMessageAt: '2026-01-31T12:00:00.000Z'
  })

  t.test('rule 2: are made once: the first of two owners decides', async t => {
    const other = { ...start, nextOffset: 7n, topicId: null }
    const made = await Promise.all([positions.create('smg.a', 'a', start), positions.create('smg.a', 'a', other)])

    t.strictSame(made[0], made[1])
    t.strictSame(await positions.create('smg.a', 'a', { ...start, nextOffset: 1n }), made[0])
    t.strictSame(await positions.read('smg.a', 'a'), new Map([[0, made[0]]]))
    t.strictSame(await positions.read('smg.b', 'a'), new Map())
    t.strictSame(await positions.groupsOf('a'), ['smg.a'])
    t.strictSame(await positions.groupsOf('b'), [])
  })

  t.test('move to another place only from where they stand, in the same log', async t => {
    await positions.create('smg.a', 'a', start)
    await sql`UPDATE topic_status SET trying_offset = 5, trying_count = 2`
    const to = { partition: 0, nextOffset: 3n, topicId: null }

    t.equal(await positions.relocate('smg.a', 'a', { ...start, nextOffset: 2n }, to, 1n), false)
    t.equal(await positions.relocate('smg.a', 'a', { ...start, topicId: null }, to, 1n), false)
    t.equal(await positions.relocate('smg.b', 'a', start, to, 1n), false)
    t.equal(await positions.relocate('smg.a', 'a', start, to, 11n), true)
    t.equal(await positions.relocate('smg.a', 'a', to, { ...to, nextOffset: 4n }, 0n), true, 'null is an id as well')

    const [row] = await sql`SELECT next_offset, lost_count, trying_offset, trying_count FROM topic_status`
    t.match(row, { next_offset: '4', lost_count: '11', trying_offset: null, trying_count: 0 })
  })

  t.test('rule 5: advance only from where they are expected, each on its own, and count', async t => {
    for (const partition of [0, 1]) await positions.create('smg.a', 'a', { ...start, partition, nextOffset: 5n })
    await positions.create('smg.b', 'a', { ...start, nextOffset: 5n })

    const moved = await write(tx => advancePositions(tx, 'smg.a', 'a', [step(0, '5', '9'), step(1, '4', '9')]))
    await write(tx => advancePositions(tx, 'smg.a', 'a', [{ ...step(0, '9', '10'), lastMessageAt: null }]))

    t.equal(moved, 1)
    const rows = await sql`
      SELECT group_id, partition, next_offset, message_count, row_count, dead_letter_count, duplicate_count,
        last_message_at IS NULL AS is_new FROM topic_status ORDER BY 1, 2`
    t.match(
      [...rows],
      [
        {
          next_offset: '10',
          message_count: '6',
          row_count: '4',
          dead_letter_count: '2',
          duplicate_count: '8',
          is_new: false
        },
        { next_offset: '5', message_count: '0', is_new: true },
        { next_offset: '5', group_id: 'smg.b' }
      ]
    )
  })

  t.test(
    'rule 5: are locked in order, so that an owner and a zombie wait for one another and one of them moves',
    async t => {
      for (const partition of [0, 1, 2]) await positions.create('smg.a', 'a', { ...start, partition, nextOffset: 5n })
      const zombie = createWriter(databaseUrl, { applicationName: 'test-zombie' })
      t.teardown(() => zombie.close())
      let second: Promise<unknown> = Promise.resolve()

      await write(async tx => {
        const locked = await lockPositions(tx, 'smg.a', 'a', [2, 0])
        t.strictSame(
          locked.map(({ partition, nextOffset }) => [partition, nextOffset]),
          [
            [0, 5n],
            [2, 5n]
          ]
        )
        second = zombie.transaction(async other => {
          const [position] = await lockPositions(other, 'smg.a', 'a', [0, 2])
          t.equal(position?.nextOffset, 8n, 'it sees what was committed')
          return advancePositions(other, 'smg.a', 'a', [step(0, '5', '8'), step(2, '5', '8')])
        }, LIMITS)
        await until(
          async () =>
            (
              await sql`SELECT 1 FROM pg_stat_activity WHERE application_name = 'test-zombie' AND wait_event_type = 'Lock'`
            ).length === 1
        )
        await advancePositions(tx, 'smg.a', 'a', [step(0, '5', '8'), step(2, '5', '8')])
      })

      t.equal(await second, 0)
      t.strictSame(await write(tx => lockPositions(tx, 'smg.a', 'a', [])), [])
    }
  )
})

const entry = (given: Partial<InboxEntry> = {}): InboxEntry => ({
  ...{ id: randomUUID(), partition: 0, offset: '9007199254740993', key: null, value: '{"a":1}', headers: '{}' },
  ...{ timestampMs: 1_700_000_000_123, rows: [] },
  ...given
})

t.test('the inbox', async t => {
  t.test('keeps an event as it was sent', async t => {
    const value = '{ "b": 1.0, "a": "ü", "a": 12345678901234567890, "c": "\\u00e4" }'
    const odd = entry({ key: '"; DROP\n\\', value, headers: '{"id":"x","__proto__":["a","b"]}' })
    const old = entry({ value: '{}', timestampMs: -1 })

    const result = await write(tx => writeInbox(tx, PLACE, [odd, old], null))

    t.strictSame(result, { newIds: null, rowCount: 0 })
    const rows = await sql`
      SELECT topic, partition, "offset"::text, key, value::text, headers::text, extract(epoch FROM timestamp)::text AS at
      FROM messages ORDER BY timestamp DESC`
    t.strictSame(
      rows.map(row => ({ ...row })),
      [
        {
          ...{ topic: 'a', partition: 0, offset: odd.offset, key: odd.key, value, headers: odd.headers },
          at: '1700000000.123000'
        },
        { topic: 'a', partition: 0, offset: old.offset, key: null, value: '{}', headers: '{}', at: '-0.001000' }
      ]
    )
  })

  t.test('takes an event once, with its rows', async t => {
    const rowWriter = createRowWriter(userActivities)
    const { toRow } = rowWriter
    const row = { userId: 'u', action: 'login', metadata: {}, occurredAt: '2026-01-31T12:00:00Z' }
    const withRows = (id: string) => {
      const second = toRow({ ...row, receivedAt: '2020-01-01T00:00:00Z' }, randomUUID(), id)
      return entry({ id, rows: [toRow(row, id, id), second] })
    }
    const [first, next] = [withRows(randomUUID()), withRows(randomUUID())]

    t.strictSame(await write(tx => writeInbox(tx, PLACE, [first], rowWriter)), { newIds: null, rowCount: 2 })
    t.strictSame(await write(tx => writeInbox(tx, PLACE, [first], rowWriter)), { newIds: new Set(), rowCount: 0 })
    t.strictSame(await write(tx => writeInbox(tx, PLACE, [first, next], rowWriter)), {
      newIds: new Set([next.id]),
      rowCount: 2
    })
    const other = { ...PLACE, topic: 'b' }
    t.strictSame(await write(tx => writeInbox(tx, other, [entry({ id: first.id })], null)), {
      newIds: null,
      rowCount: 0
    })
    t.equal((await sql`SELECT 1 FROM user_activities`).length, 4)
  })

  t.test('leaves out an event that has a dead letter of the group', async t => {
    const given = entry()
    await write(tx => insertDeadLetters(tx, PLACE, [letter({ eventId: given.id })]))

    t.strictSame(await write(tx => writeInbox(tx, PLACE, [given], null)), { newIds: new Set(), rowCount: 0 })
    t.strictSame(await write(tx => writeInbox(tx, { ...PLACE, groupId: 'smg.b' }, [given], null)), {
      newIds: null,
      rowCount: 0
    })
  })

  t.test('takes nothing of a statement that has one bad row', async t => {
    const rowWriter = createRowWriter(userActivities)
    const { toRow } = rowWriter
    const good = entry()
    const bad = entry()
    const written = write(tx =>
      writeInbox(tx, PLACE, [good, { ...bad, rows: [toRow({ userId: null }, bad.id, bad.id)] }], rowWriter)
    )

    await t.rejects(written, { code: '23502' })
    t.equal((await sql`SELECT 1 FROM messages`).length, 0)
  })

  t.test('tells what is settled, and what has a dead letter', async t => {
    const [settled, dead, both, unknown] = [entry({ key: 'k', value: '{"a": 1}' }), entry(), entry(), entry()]
    await write(async tx => {
      await writeInbox(tx, PLACE, [settled], null)
      await insertDeadLetters(tx, PLACE, [letter({ eventId: dead.id }), letter({ eventId: both.id })])
      await writeInbox(tx, { ...PLACE, groupId: 'smg.b' }, [both], null)
    })
    const ids = [settled.id, dead.id, both.id, unknown.id]
    const nothing = { key: null, value: null }

    t.strictSame(
      await write(tx => findSettled(tx, PLACE, ids)),
      new Map([
        [settled.id, { id: settled.id, message: { key: 'k', value: '{"a": 1}' }, letter: null }],
        [both.id, { id: both.id, message: { key: null, value: '{"a":1}' }, letter: nothing }],
        [dead.id, { id: dead.id, message: null, letter: nothing }]
      ])
    )
    t.strictSame(await write(tx => findSettled(tx, { ...PLACE, topic: 'b' }, ids)), new Map())
    t.strictSame(await write(tx => findSettled(tx, PLACE, [])), new Map())
  })
})

const letter = (given: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  ...{ id: randomUUID(), eventId: randomUUID(), partition: 0, offset: '9007199254740993', key: null, value: null },
  ...{ headers: [], timestamp: '2026-01-31T12:00:00.123Z', stage: 'handle', disposition: 'attempts_exhausted' },
  ...{ errorName: 'Error', errorMessage: 'no', errorStack: null, attempts: 3 },
  ...given
})
const copies = async () =>
  (await sql`SELECT copies::text FROM dead_letters ORDER BY id`).map(row => JSON.parse(row.copies))

t.test('dead letters', async t => {
  t.test('are kept byte for byte', async t => {
    const bytes = Buffer.from([0, 255, 123]).toString('base64')
    const given = letter({
      key: '',
      value: bytes,
      headers: [
        ['id', bytes],
        ['id', null]
      ],
      errorStack: 'at x'
    })

    t.strictSame(await write(tx => insertDeadLetters(tx, PLACE, [given])), new Set([given.eventId]))

    const [row] = await sql`
      SELECT *, encode(key, 'base64') AS key, encode(value, 'base64') AS value, timestamp = ${given.timestamp} AS is_then
      FROM dead_letters`
    t.match(row, {
      ...{ id: given.id, event_id: given.eventId, group_id: 'smg.a', topic: 'a', partition: 0, offset: given.offset },
      ...{ key: '', value: bytes, headers: given.headers, is_then: true, stage: 'handle', attempts: 3, state: 'dead' },
      ...{ disposition: 'attempts_exhausted', error_name: 'Error', error_message: 'no', error_stack: 'at x' },
      copies: []
    })
  })

  t.test('leave out an event that had its effect', async t => {
    const settled = entry()
    await write(tx => writeInbox(tx, PLACE, [settled], null))
    const [late, own] = [letter({ eventId: settled.id }), letter()]

    t.strictSame(await write(tx => insertDeadLetters(tx, PLACE, [late, own])), new Set([own.eventId]))
    t.equal((await sql`SELECT 1 FROM dead_letters`).length, 1)
  })

  t.test('gather the places of their copies, each once, whatever their state', async t => {
    const given = letter({ offset: '5' })
    const copy = (partition: number, offset: string) => ({ ...given, id: randomUUID(), partition, offset })
    await write(tx => insertDeadLetters(tx, PLACE, [given]))
    await sql`UPDATE dead_letters SET state = 'discarded', error_message = 'as it was'`

    for (const met of [copy(0, '5'), copy(0, '6'), copy(0, '6'), copy(1, '5')]) {
      t.strictSame(await write(tx => insertDeadLetters(tx, PLACE, [met])), new Set(), 'none of them is new')
    }

    t.strictSame(await copies(), [
      [
        [0, '6'],
        [1, '5']
      ]
    ])
    const [row] = await sql`SELECT id, state, error_message, "offset" FROM dead_letters`
    t.match(row, { id: given.id, state: 'discarded', error_message: 'as it was', offset: '5' })
  })

  t.test('belong to their group', async t => {
    const given = letter()
    await write(tx => insertDeadLetters(tx, PLACE, [given]))
    const other = { ...PLACE, groupId: 'smg.b' }

    const made = await write(tx => insertDeadLetters(tx, other, [{ ...given, id: randomUUID() }]))

    t.strictSame(made, new Set([given.eventId]))
  })

  t.test('are told of copies that were met elsewhere', async t => {
    const [first, second] = ['01', '02'].map(end =>
      letter({ id: `01890000-0000-7000-8000-0000000000${end}`, offset: '5' })
    )
    if (!first || !second) return
    await write(tx => insertDeadLetters(tx, PLACE, [first, second]))
    const met = [
      { eventId: first.eventId, partition: 0, offset: '5' },
      { eventId: first.eventId, partition: 0, offset: '7' },
      { eventId: first.eventId, partition: 1, offset: '5' },
      { eventId: second.eventId, partition: 2, offset: '9007199254740993' },
      { eventId: randomUUID(), partition: 3, offset: '1' }
    ]

    await write(tx => addCopies(tx, PLACE, met))
    await write(tx => addCopies(tx, PLACE, met))
    await write(tx => addCopies(tx, { ...PLACE, groupId: 'smg.b' }, [{ ...met[1], offset: '8' } as (typeof met)[0]]))

    t.strictSame(await copies(), [
      [
        [0, '7'],
        [1, '5']
      ],
      [[2, '9007199254740993']]
    ])
  })
})

t.test('reads what it asks for, however much there is that nobody has counted', async t => {
  const FILLED = 2_000
  await sql`ALTER TABLE messages SET (autovacuum_enabled = off)`
  await sql`ALTER TABLE dead_letters SET (autovacuum_enabled = off)`
  // In turn, so that the plans are those of tables that were small when they were made.
  for (let filled = 0; filled < FILLED; filled += 100) {
    await write(async tx => {
      await insertDeadLetters(
        tx,
        PLACE,
        Array.from({ length: 100 }, () => letter())
      )
      await writeInbox(
        tx,
        PLACE,
        Array.from({ length: 100 }, () => entry()),
        null
      )
    })
  }
  const given = entry()
  const copiesOfNone = Array.from({ length: 5 }, () => ({ eventId: randomUUID(), partition: 0, offset: '5' }))
  // Of this backend, with what it has not reported of transactions before.
  const countRead = async (tx: WriteTransaction) => {
    const [row] = await tx.query(`
      SELECT sum(pg_stat_get_xact_tuples_returned(relation))::int AS rows FROM (
        SELECT indexrelid FROM pg_index WHERE indrelid IN ('messages'::regclass, 'dead_letters'::regclass)
        UNION ALL VALUES ('messages'::regclass::oid), ('dead_letters'::regclass::oid)) AS read(relation)`)
    return Number(row?.rows)
  }
  const read = (work: (tx: WriteTransaction) => Promise<unknown>) =>
    write(async tx => {
      const before = await countRead(tx)
      await work(tx)
      return (await countRead(tx)) - before
    })

  const reads = {
    inbox: await read(tx => writeInbox(tx, PLACE, [given], null)),
    settled: await read(tx => findSettled(tx, PLACE, [given.id])),
    copies: await read(tx => addCopies(tx, PLACE, copiesOfNone)),
    'dead letter': await read(tx => insertDeadLetters(tx, PLACE, [letter()])),
    outcome: await read(tx =>
      tx.query(FIND_OUTCOMES, [JSON.stringify([{ topic: 'a', groupId: 'smg.a', id: given.id }])])
    ),
    'imported letter': await read(tx => findKnown(tx, PLACE, [{ ...letter(), isLost: false, origin: {} }]))
  }

  for (const [what, rows] of Object.entries(reads)) t.ok(rows < 20, `${what}: ${rows} rows of ${2 * FILLED} were read`)
})

t.test('the outbox', async t => {
  const outbox = createOutboxQueries(database.sql)
  const leaving = (given: Partial<OutboxEntry> = {}): OutboxEntry => ({
    ...{ topic: 'b', partition: 0, eventId: randomUUID(), key: null, value: null, headers: [] },
    timestamp: '2026-01-31T12:00:00.123Z',
    ...given
  })
  const text = (value: string) => Buffer.from(value).toString('base64')

  t.test('gives a partition in the order in which it was filled', async t => {
    const values = Array.from({ length: 30 }, (_, index) => String(index))
    await write(async tx => {
      await insertOutbox(tx, [])
      await insertOutbox(
        tx,
        values.map(value => leaving({ value: text(value) }))
      )
      await insertOutbox(tx, [leaving({ partition: 1 }), leaving({ topic: 'c' })])
    })

    const read = await outbox.read('b', 0, { limit: 20, maxBytes: 1_000_000 })

    t.strictSame(
      read.map(({ value }) => String(value)),
      values.slice(0, 20)
    )
    await outbox.remove(read.map(({ sequence }) => sequence))
    t.strictSame(
      (await outbox.read('b', 0, { limit: 20, maxBytes: 1_000_000 })).map(({ value }) => String(value)),
      values.slice(20)
    )
    t.strictSame(
      new Set((await outbox.pending()).map(({ topic, partition }) => `${topic}/${partition}`)),
      new Set(['b/0', 'b/1', 'c/0'])
    )
  })

  t.test('gives an event byte for byte', async t => {
    const headers = [
      ['id', text('x')],
      ['id', null]
    ] as const
    await write(tx => insertOutbox(tx, [leaving({ key: '', value: text('ü'), headers }), leaving()]))

    t.match(await outbox.read('b', 0, { limit: 9, maxBytes: 1_000_000 }), [
      { key: Buffer.alloc(0), value: Buffer.from('ü'), headers, timestampMs: Date.parse('2026-01-31T12:00:00.123Z') },
      { key: null, value: null, headers: [] }
    ])
  })

  t.test('leaves with its transaction or not at all', async t => {
    const lost = write(async tx => {
      await insertOutbox(tx, [leaving()])
      throw new Error('no')
    })

    await t.rejects(lost)
    t.strictSame(await outbox.pending(), [])
  })

  t.test('is sent by one owner a partition', async t => {
    const [one, two] = [randomUUID(), randomUUID()]
    const claims = await Promise.all([outbox.claim('b', 0, one, 60_000), outbox.claim('b', 0, two, 60_000)])
    const [winner, loser] = claims[0] ? [one, two] : [two, one]

    t.strictSame(new Set(claims), new Set([true, false]))
    t.equal(await outbox.claim('b', 0, winner, 60_000), true, 'the owner keeps it')
    t.equal(await outbox.claim('b', 0, loser, 60_000), false)
    t.equal(await outbox.claim('b', 1, loser, 60_000), true, 'another partition is another matter')
    await sql`UPDATE outbox_leases SET until = now() - interval '1 ms' WHERE partition = 0`
    t.equal(await outbox.claim('b', 0, loser, 60_000), true, 'what has run out is free')
    t.equal(await outbox.claim('b', 0, winner, 60_000), false)
    await outbox.release(loser)
    t.equal(await outbox.claim('b', 0, winner, 60_000), true, 'so is what was given up')
  })
})
