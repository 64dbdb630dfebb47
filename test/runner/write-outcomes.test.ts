import { getTableConfig, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import t from 'tap'
import { isOfEvent } from '../../db/database-fault.ts'
import { createRowWriter } from '../../db/queries/row-writer.ts'
import type { WriteTransaction } from '../../db/write-transaction.ts'
import { createWriter } from '../../db/writer.ts'
import { identify } from '../../runner/identify.ts'
import { createMirror } from '../../runner/mirror.ts'
import { createOutboxEntries } from '../../runner/outbox-entries.ts'
import type { SettledRecord, WriteDependencies } from '../../runner/settled.ts'
import { toEntry } from '../../runner/to-entry.ts'
import type { Care } from '../../runner/write-entries.ts'
import { writeOutcomes } from '../../runner/write-outcomes.ts'
import type { IdentifiedRecord } from '../../sdk/record.ts'
import { createTestDatabase } from '../_support/database.ts'
import { fetched, identified, idOf, PLACE, TIME_MS, TOPIC } from './_support/records.ts'

const orders = pgTable('orders', { id: uuid().primaryKey(), amount: integer().notNull(), code: text().unique() })
const rowWriter = createRowWriter(orders)
const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }

const { databaseUrl, sql } = await createTestDatabase(t)
await sql.unsafe('CREATE TABLE orders (id uuid PRIMARY KEY, amount int NOT NULL CHECK (amount >= 0), code text UNIQUE)')
const writer = createWriter(databaseUrl, { applicationName: 'test' })
t.teardown(() => writer.close())

const dependencies: WriteDependencies = {
  ...PLACE,
  ordering: 'partition',
  flood: { check: async () => undefined },
  topicIdOf: () => null,
  rowWriter,
  toOutboxEntries: createOutboxEntries(() => 1),
  nowMs: () => TIME_MS
}

interface Handled {
  amount?: number
  code?: string
  publishes?: boolean
  rows?: number
}

/** A record that its function made rows of; a negative amount is refused by PostgreSQL. */
function handled(
  record: IdentifiedRecord,
  { amount = 1, code, publishes = false, rows = 1 }: Handled = {}
): SettledRecord {
  const published = publishes ? [{ topic: 'bills', key: null, value: Buffer.from('{"n":1}') }] : []
  const effect = Array.from({ length: rows }, () => ({ amount, code: code ?? null }))
  return {
    record,
    outcome: { kind: 'handled', event: {}, effect, published },
    entry: toEntry(record, effect, rowWriter)
  }
}

function dead(record: IdentifiedRecord, message = 'no'): SettledRecord {
  const outcome = { kind: 'dead', stage: 'handle', disposition: 'non_retriable', attempts: 1 } as const
  return { record, outcome: { ...outcome, error: new Error(message) }, entry: null }
}

/** Runs a cycle in a transaction; counts its statements. */
async function run(
  settled: readonly SettledRecord[],
  { care = 'none', byCopy = false }: { care?: Care; byCopy?: boolean } = {},
  given = dependencies
) {
  const statements: string[] = []
  let copies = 0
  const tallies = await writer.transaction(tx => {
    const counted: WriteTransaction = {
      ...tx,
      query: (text, parameters) => {
        statements.push(text)
        return tx.query(text, parameters)
      },
      copy: (text, lines) => {
        copies += 1
        return tx.copy(text, lines)
      },
      savepoint: work => {
        statements.push('SAVEPOINT')
        return tx.savepoint(work)
      }
    }
    return writeOutcomes(counted, settled, { care, byCopy }, given)
  }, limits)
  const savepoints = statements.filter(text => text === 'SAVEPOINT').length
  return { tallies, savepoints, copies, statements: statements.length }
}

/** All that is in the tables. */
async function stored() {
  const [messages, rows, letters, outbox] = await Promise.all([
    sql`SELECT id::text, "offset"::int AS at, partition FROM messages ORDER BY id`,
    sql`SELECT id::text FROM orders ORDER BY id`,
    sql`SELECT event_id::text AS id, "offset"::int AS at, disposition, stage, copies::text AS copies
      FROM dead_letters ORDER BY "offset"`,
    sql`SELECT event_id::text AS id FROM outbox`
  ])
  return {
    messages: messages.map(({ id }) => id),
    places: messages.map(({ partition, at }) => `${partition}/${at}`),
    rows: rows.map(({ id }) => id),
    letters: letters.map(({ id, at, disposition, stage, copies }) => ({
      id,
      at,
      disposition,
      stage,
      copies: JSON.parse(copies)
    })),
    outbox: outbox.length
  }
}

t.beforeEach(() => sql`TRUNCATE messages, orders, dead_letters, outbox, blocked_keys`.then())

/** Of a partition of which nothing new was settled. */
const none = { messages: 0, rows: 0, deadLetters: 0, duplicates: 0, lastMessageMs: null }

t.test('writes inbox, rows and outbox, once for the same events', async t => {
  const cycle = [
    handled(identified(1), { publishes: true }),
    handled(identified(2, { n: 2 }, { partition: 1 }), { rows: 3 }),
    handled(identified(3), { rows: 0 })
  ]

  const first = await run(cycle)
  const before = await stored()
  const second = await run(cycle)

  t.strictSame(first.tallies.get(0), { ...none, messages: 2, rows: 1, lastMessageMs: TIME_MS })
  t.match(first.tallies.get(1), { messages: 1, rows: 3 })
  t.strictSame(before.messages, [idOf(1), idOf(2), idOf(3)])
  t.equal(before.rows.length, 4)
  t.equal(before.outbox, 1)
  t.strictSame(await stored(), before, 'a replay changes nothing')
  t.strictSame(second.tallies.get(0), { ...none, duplicates: 2 })
  t.match(second.tallies.get(1), { messages: 0, duplicates: 1 })
})

t.test('rule 11: gives a copy in the same cycle the outcome of the first', async t => {
  const id = idOf(1)
  const { tallies } = await run([
    handled(identified(1, { n: 1 }, { id }), { publishes: true }),
    handled(identified(2, { n: 1 }, { id }), { publishes: true }),
    handled(identified(7, '{ "n": 1.0 }', { id, partition: 1 })),
    handled(identified(3))
  ])

  const after = await stored()
  t.strictSame(after.messages, [id, idOf(3)])
  t.strictSame(after.places, ['0/1', '0/3'])
  t.equal(after.rows.length, 2)
  t.equal(after.outbox, 1)
  t.strictSame(after.letters, [])
  t.match(tallies.get(0), { messages: 2, duplicates: 1 })
  t.match(tallies.get(1), { messages: 0, duplicates: 1 }, 'the same value in other words is the same event')
})

const reuses: { when: string; second: (id: string) => SettledRecord }[] = [
  { when: 'another value', second: id => handled(identified(2, { n: 2 }, { id })) },
  { when: 'another key', second: id => handled(identified(2, { n: 1 }, { id, key: Buffer.from('k') })) },
  { when: 'garbage', second: id => dead(identified(2, '{garbage', { id })) },
  { when: 'a shape of its own', second: id => dead(identified(2, { m: 1 }, { id })) }
]
for (const { when, second } of reuses) {
  t.test(`rule 9: never drops an event that has the id of another one, and ${when}`, async t => {
    const id = idOf(1)
    const first = handled(identified(1, { n: 1 }, { id }))

    for (const cycles of [[[first, second(id)]], [[first], [second(id)]], [[first], [second(id)], [second(id)]]]) {
      await sql`TRUNCATE messages, orders, dead_letters, outbox`
      for (const cycle of cycles) await run(cycle)

      const after = await stored()
      t.strictSame(after.messages, [id])
      t.match(after.letters, [{ at: 2, disposition: 'id_reused', stage: 'persist', copies: [] }])
      t.equal(after.letters.length, 1)
      t.not(after.letters[0]?.id, id, 'under an id of its own')
    }
  })
}

t.test('rule 22: a copy that is another event in truth holds its key back', async t => {
  const key = Buffer.from('a')
  const cycle = [handled(identified(1, { n: 1 }, { key })), handled(identified(2, { n: 2 }, { key, id: idOf(1) }))]
  await writer.transaction(
    tx => writeOutcomes(tx, cycle, { care: 'none' }, { ...dependencies, ordering: 'key' }),
    limits
  )

  t.match((await stored()).letters, [{ at: 2, disposition: 'id_reused' }])
  t.equal((await sql`SELECT FROM blocked_keys WHERE key_hash = sha256('a')`).length, 1)
})

t.test('rule 9: never drops an event that has the id of a dead one', async t => {
  await run([dead(identified(1, { n: 1 }))])

  await run([handled(identified(2, { n: 2 }, { id: idOf(1) }))])
  await run([dead(identified(3, { n: 3 }, { id: idOf(1) }))])

  const { letters, messages } = await stored()
  t.match(letters, [
    { at: 1, copies: [] },
    { at: 2, disposition: 'id_reused' },
    { at: 3, disposition: 'id_reused' }
  ])
  t.strictSame(messages, [])
})

t.test('rule 10: a copy of what was redriven with an edit is a copy', async t => {
  await run([dead(identified(1, { n: 'one' }))])
  await sql`UPDATE dead_letters SET state = 'resolved'`
  await sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
    VALUES (${TOPIC}, ${idOf(1)}, 0, 1, '{"n":1}', '{}', now())`

  await run([handled(identified(2, { n: 'one' }, { id: idOf(1) }))])

  t.equal((await stored()).letters.length, 1)
})

t.test('rule 10: does not attempt again what has a dead letter, and adds where the copy was met', async t => {
  const id = idOf(1)
  const first = dead(identified(1, { n: 1 }, { id }))

  for (const cycles of [
    [[first, handled(identified(2, { n: 1 }, { id })), dead(identified(3, { n: 1 }, { id, partition: 1 }))]],
    [[first], [handled(identified(2, { n: 1 }, { id }))], [dead(identified(3, { n: 1 }, { id, partition: 1 }))]]
  ]) {
    await sql`TRUNCATE messages, orders, dead_letters`
    for (const cycle of [...cycles, ...cycles]) await run(cycle)

    const after = await stored()
    t.strictSame(after.messages, [])
    t.strictSame(after.rows, [])
    t.match(after.letters, [
      {
        id,
        at: 1,
        copies: [
          [0, '2'],
          [1, '3']
        ]
      }
    ])
    t.equal(after.letters[0]?.copies.length, 2, 'once each')
  }
})

t.test('puts a copy of each new dead letter into the outbox, and of no other', async t => {
  const toMirrorEntry = createMirror({ ...PLACE, kafkaTopic: TOPIC, mirrorTopic: 'dlq.a' })
  const cycle = (...settled: SettledRecord[]) =>
    writer.transaction(tx => writeOutcomes(tx, settled, { care: 'again' }, { ...dependencies, toMirrorEntry }), limits)
  const copies = async () =>
    (await sql`SELECT event_id::text AS id FROM outbox WHERE topic = 'dlq.a' ORDER BY sequence`).map(({ id }) => id)

  await cycle(handled(identified(1)))
  await cycle(dead(identified(1)), dead(identified(2)), handled(identified(3), { amount: -1 }), dead(identified(4)))
  await cycle(dead(identified(2)), dead(identified(9, { n: 2 }, { id: idOf(2) })), handled(identified(3)))

  t.strictSame((await copies()).toSorted(), [2, 3, 4].map(idOf).toSorted())
})

t.test('rule 10: an event in the inbox gets no dead letter', async t => {
  await run([handled(identified(1))])
  const { tallies } = await run([dead(identified(1))])

  t.strictSame((await stored()).letters, [])
  t.match(tallies.get(0), { deadLetters: 0, duplicates: 1 })
})

t.test('throws the refusal of a row, and nothing is stored', async t => {
  const refused = run([handled(identified(1)), handled(identified(2), { amount: -1 })])

  await t.rejects(refused, { code: '23514' })
  t.match(await stored(), { messages: [], rows: [], letters: [] })
})

const refusals = [
  { when: 'by a rule, whose refusal names the row', amount: -1, step: 1, sizes: [1, 2, 3, 7, 16] },
  { when: 'by its type, whose refusal names nothing', amount: 3_000_000_000, step: 1, sizes: [1, 2, 3, 7, 16] },
  { when: 'in a whole cycle', amount: 3_000_000_000, step: 333, sizes: [1_000] }
]
const searches = refusals.flatMap(({ sizes, ...refusal }) => sizes.map(n => ({ ...refusal, n })))
for (const { n, when, amount, step } of searches) {
  t.test(`rule 12: finds the one row of ${n} that PostgreSQL refuses ${when}, wherever it is`, async t => {
    for (let poison = 0; poison < n; poison += step) {
      await sql`TRUNCATE messages, orders, dead_letters, outbox`
      const cycle = Array.from({ length: n }, (_, index) =>
        handled(identified(index), { amount: index === poison ? amount : 1, publishes: true })
      )

      const { tallies, savepoints } = await run(cycle, { care: 'again' })

      const after = await stored()
      const others = cycle.map(({ record }) => record.id).filter(id => id !== idOf(poison))
      t.strictSame(after.messages, others, `poison at ${poison}: the inbox`)
      t.strictSame(after.rows, others, 'the rows')
      t.equal(after.outbox, n - 1, 'what the refused one published is gone')
      t.match(after.letters, [{ id: idOf(poison), stage: 'persist', disposition: 'non_retriable', at: poison }])
      t.match(tallies.get(0), { messages: n - 1, rows: n - 1, deadLetters: 1, duplicates: 0 })
      t.match(tallies.get(0)?.dead, [{ reason: { disposition: 'non_retriable' } }])
      t.ok(savepoints <= 2 * Math.ceil(Math.log2(n)) + 1, `${savepoints} statements more`)
    }
  })
}

t.test('writes by COPY what it writes by INSERT', async t => {
  const value = { n: 1, text: 'tab\t newline\n backslash\\ "quote" \u00fc \u{1f600}' }
  const key = Buffer.from('a\tb\\N\n')
  const headers: IdentifiedRecord['headers'] = [
    ['a\\b\tc', Buffer.from('\\.')],
    ['bytes', Buffer.from([0xff, 0])],
    ['twice', Buffer.from('1')],
    ['twice', null]
  ]
  const cycle = Array.from({ length: 300 }, (_, index) => {
    const record = identified(
      index,
      value,
      index % 3 === 0 ? { key, headers } : { key: null, timestampMs: TIME_MS + index }
    )
    return handled(record, { rows: index % 4, publishes: index === 7 })
  })
  const read = async () => ({
    messages:
      await sql`SELECT topic, id, partition, "offset", key, value::text, headers::text, timestamp FROM messages ORDER BY id`,
    rows: await sql`SELECT * FROM orders ORDER BY id`,
    outbox: (await stored()).outbox
  })

  const inserted = await run(cycle)
  const first = await read()
  await sql`TRUNCATE messages, orders, outbox`
  const copied = await run(cycle, { byCopy: true })

  t.equal(copied.copies, 2)
  t.strictSame(await read(), first)
  t.strictSame(copied.tallies, inserted.tallies)
  t.equal(first.messages.length, 300)
})

t.test('writes few by INSERT', async t => {
  const { copies } = await run(
    Array.from({ length: 20 }, (_, index) => handled(identified(index))),
    { byCopy: true }
  )
  t.equal(copies, 0)
  t.equal((await stored()).messages.length, 20)
})

t.test(
  'rule 10: by COPY, an event that is not new is a refusal of its own, and one that is dead is not written',
  async t => {
    const cycle = Array.from({ length: 200 }, (_, index) => handled(identified(index)))
    await run([handled(identified(150))])
    const refused = await run(cycle, { byCopy: true }).catch(error => error)

    t.ok(isOfEvent(refused), String(refused))
    t.equal((await stored()).messages.length, 1)

    await sql`TRUNCATE messages, orders`
    await run([dead(identified(150))])
    const { copies, tallies } = await run(cycle, { byCopy: true })
    t.equal(copies, 2)
    t.match(tallies.get(0), { messages: 199, duplicates: 1 })
    t.equal((await stored()).letters.length, 1)
  }
)

t.test('rule 10: where refusals are expected, events that are not new cost a COPY no further ones', async t => {
  const cycle = Array.from({ length: 500 }, (_, index) => handled(identified(index)))
  await run(cycle.filter((_, index) => index % 50 === 0))
  const { tallies, copies } = await run(cycle, { care: 'ready', byCopy: true })

  t.match(tallies.get(0), { messages: 490, duplicates: 10, deadLetters: 0 })
  t.equal((await stored()).rows.length, 500)
  t.equal(copies, 2, 'one for each of its parts')
})

t.test('copies nothing twice where rows refer to their events', async t => {
  await sql.unsafe(`CREATE TABLE bills (topic text DEFAULT '${TOPIC}', id uuid PRIMARY KEY,
    FOREIGN KEY (topic, id) REFERENCES messages (topic, id))`)
  t.teardown(() => sql`DROP TABLE bills`.then())
  const writer = createRowWriter(pgTable('bills', { id: uuid().primaryKey() }))
  const cycle = Array.from({ length: 500 }, (_, index): SettledRecord => {
    const settled = handled(identified(index))
    return { ...settled, entry: toEntry(settled.record, [{}], writer) }
  })
  const given = { ...dependencies, rowWriter: writer }
  const { tallies, copies } = await run(cycle, { care: 'ready', byCopy: true }, given)

  t.match(tallies.get(0), { messages: 500, rows: 500, deadLetters: 0 })
  t.equal(copies, 2, 'one for each of its parts')
})

for (const { when, amount } of refusals) {
  for (const poison of [[0], [137], [499], [10, 11, 300, 499]]) {
    t.test(`rule 12: finds the rows ${poison} of 500 that a COPY refuses ${when}`, async t => {
      const cycle = Array.from({ length: 500 }, (_, index) =>
        handled(identified(index), { amount: poison.includes(index) ? amount : 1, publishes: true })
      )
      await run([handled(identified(200))])
      const { tallies, copies } = await run(cycle, { care: 'ready', byCopy: true })

      const after = await stored()
      const others = cycle.map(({ record }) => record.id).filter(id => !poison.map(index => idOf(index)).includes(id))
      t.strictSame(after.messages, others)
      t.strictSame(after.rows, others)
      t.equal(after.outbox, others.length - 1)
      t.strictSame(
        after.letters.map(({ at }) => at),
        poison
      )
      t.match(tallies.get(0), { messages: others.length - 1, deadLetters: poison.length, duplicates: 1 })
      t.ok(copies > 0)
    })
  }
}

t.test(
  'rule 12: takes a row of a table whose name begins like that of the inbox for what it is',
  { timeout: 20_000 },
  async t => {
    const notes = pgTable('messages_of_mine', { id: uuid().primaryKey(), code: text().unique() })
    await sql`CREATE TABLE messages_of_mine (id uuid PRIMARY KEY, code text UNIQUE)`
    const writer = createRowWriter(notes)
    const cycle = Array.from({ length: 250 }, (_, index): SettledRecord => {
      const record = identified(index)
      const effect = [{ code: index === 130 ? 'c7' : `c${index}` }]
      const outcome = { kind: 'handled', event: null, effect: null, published: [] } as const
      return { record, outcome, entry: toEntry(record, effect, writer) }
    })
    for (const options of [{ care: 'again' }, { care: 'ready' }, { care: 'ready', byCopy: true }] as const) {
      await sql`TRUNCATE messages, messages_of_mine, dead_letters`
      await run(cycle, options, { ...dependencies, rowWriter: writer })
      const { messages, letters } = await stored()
      t.equal(messages.length, 249)
      t.match(letters, [{ at: 130, stage: 'persist' }], JSON.stringify(options))
    }
  }
)

t.test('rule 12: finds several refused rows, and one that only its neighbour breaks', async t => {
  const cycle = [
    handled(identified(0), { code: 'a' }),
    handled(identified(1), { amount: -1 }),
    handled(identified(2), { code: 'a' }),
    handled(identified(3), { amount: -1 }),
    handled(identified(4), { code: 'b' })
  ]
  await run(cycle, { care: 'again' })

  const after = await stored()
  t.strictSame(after.messages, [idOf(0), idOf(4)])
  t.strictSame(
    after.letters.map(({ at }) => at),
    [1, 2, 3]
  )
})

t.test('rule 11: a copy of a refused row is a copy of its dead letter', async t => {
  const id = idOf(1)
  const cycle = [
    handled(identified(1, { n: 1 }, { id }), { amount: -1 }),
    handled(identified(2, { n: 1 }, { id }), { amount: -1 }),
    handled(identified(3))
  ]
  const { tallies } = await run(cycle, { care: 'again' })

  const after = await stored()
  t.strictSame(after.messages, [idOf(3)])
  t.match(after.letters, [{ id, at: 1, copies: [[0, '2']] }])
  t.match(tallies.get(0), { deadLetters: 1, duplicates: 1, messages: 1 })
})

t.test('writes what holds characters that PostgreSQL cannot, whole or as a dead letter', async t => {
  const record = identified(1, { n: 1 }, { key: Buffer.from('a\u0000b'), headers: [['h', Buffer.from('\u0000')]] })
  await run([handled(record)])
  const bad = identified(2, { n: 2 }, { headers: [['n\u0000', Buffer.from('x')]] })
  await run([handled(bad), handled(identified(3))], { care: 'again' })

  const after = await stored()
  t.strictSame(after.messages.slice(0, 1), [idOf(1)])
  t.ok(after.messages.includes(idOf(3)))
  t.equal(after.messages.length + after.letters.length, 3)
  const [row] = await sql`SELECT key FROM messages WHERE id = ${idOf(1)}`
  t.equal(row?.key, `base64:${Buffer.from('a\u0000b').toString('base64')}`)
})

for (const timestampMs of [-1, 0, TIME_MS * 1e3, TIME_MS * 1e6, -8.64e15, 8.64e15, Number.NaN]) {
  t.test(`rule 13: settles a record whose time is ${timestampMs}`, async t => {
    const record = identify({ ...fetched(1), timestampMs }, { topic: TOPIC, topicId: null, partition: 0 })
    const { tallies } = await run([handled(record)])

    t.strictSame((await stored()).messages, [record.id])
    const { lastMessageMs } = tallies.get(0) ?? {}
    t.ok(lastMessageMs != null && Math.abs(lastMessageMs) < 253_402_300_800_000, 'a time that PostgreSQL takes')
  })
}

t.test('rule 12: says so when a trigger of the table swallows rows', async t => {
  const { name } = getTableConfig(orders)
  await sql.unsafe(`CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER swallow BEFORE INSERT ON ${name} FOR EACH ROW EXECUTE FUNCTION swallow()`)
  t.teardown(() => sql.unsafe(`DROP TRIGGER swallow ON ${name}`).then())

  await t.rejects(run([handled(identified(1))]), { code: 'SMG_RUNNER_ROWS_LOST' })
  await t.rejects(run([handled(identified(1)), handled(identified(2))], { care: 'again' }), {
    code: 'SMG_RUNNER_ROWS_LOST'
  })
  t.match(await stored(), { messages: [], letters: [] })
})
