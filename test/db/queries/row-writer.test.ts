import { randomUUID } from 'node:crypto'
import { sql as raw } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import t, { type Test } from 'tap'
import { copyInbox } from '../../../db/queries/copy-inbox.ts'
import { writeInbox } from '../../../db/queries/inbox.ts'
import { createRowWriter } from '../../../db/queries/row-writer.ts'
import { createWriter } from '../../../db/writer.ts'
import { createTestDatabase } from '../../_support/database.ts'

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const GROUP = { groupId: 'smg.t', topic: 't' }
const ID = '01890000-0000-7000-8000-0000000000'

const { databaseUrl, sql } = await createTestDatabase(t)
const writer = createWriter(databaseUrl, { applicationName: 'test-writer' })
t.teardown(() => writer.close())
let count = 10

const WAYS = ['INSERT', 'COPY'] as const
type Way = (typeof WAYS)[number]

/** Writes rows as a runner does, one event each, and gives them as PostgreSQL shows them. */
async function write(way: Way, table: pg.PgTable, rows: readonly Record<string, unknown>[], name: string) {
  const rowWriter = createRowWriter(table)
  const entries = rows.map(row => {
    count += 1
    const id = `${ID}${count}`
    const rest = { partition: 0, offset: String(count), key: null, value: '{}', headers: '{}', timestampMs: count }
    return { id, ...rest, rows: [rowWriter.toRow(row, id, id)] }
  })
  // Without rows: COPY is for many.
  const others = Array.from({ length: 100 }, (_, index) => ({
    ...{ id: randomUUID(), partition: 0, offset: String(index), key: null, value: '{}', headers: '{}' },
    ...{ timestampMs: 0, rows: [] }
  }))
  const result = await writer.transaction(
    async tx =>
      way === 'INSERT'
        ? writeInbox(tx, GROUP, entries, rowWriter)
        : ((await copyInbox(tx, GROUP.topic, [...others, ...entries], rowWriter)) ??
          writeInbox(tx, GROUP, entries, rowWriter)),
    LIMITS
  )
  const ids = entries.map(({ id }) => id)
  const stored = await sql.unsafe(`SELECT * FROM ${name} WHERE id = ANY ($1::text::uuid[]) ORDER BY id`, [`{${ids}}`])
  return { result, ids, stored: [...stored] as Record<string, unknown>[] }
}

async function refuses(t: Test, code: string, written: Promise<unknown>) {
  await t.rejects(written, { code })
}

const mood = pg.pgEnum('Mood', ['so so', 'fine'])
const bytea = pg.customType<{ data: Buffer }>({ dataType: () => 'bytea' })
const kinds = pg.pgTable('kinds', {
  id: pg.uuid().primaryKey(),
  jsonb: pg.jsonb(),
  json: pg.json(),
  texts: pg.text().array(),
  numbers: pg.integer().array(),
  bigNumber: pg.bigint('big_number', { mode: 'number' }),
  big: pg.bigint({ mode: 'bigint' }),
  numeric: pg.numeric({ precision: 30, scale: 3 }),
  double: pg.doublePrecision(),
  real: pg.real(),
  bytes: bytea(),
  date: pg.timestamp({ withTimezone: true }),
  time: pg.timestamp({ withTimezone: true, mode: 'string' }),
  day: pg.date(),
  flag: pg.boolean(),
  mood: mood(),
  moods: mood().array(),
  short: pg.varchar({ length: 3 }),
  uuid: pg.uuid()
})

t.test('every kind of column', async t => {
  await sql.unsafe(`CREATE TYPE "Mood" AS ENUM ('so so', 'fine');
    CREATE TABLE kinds (id uuid PRIMARY KEY, jsonb jsonb, json json, texts text[], numbers int[], big_number bigint,
      big bigint, "numeric" numeric(30,3), double double precision, "real" real, bytes bytea, date timestamptz,
      time timestamptz, day date, flag boolean, mood "Mood", moods "Mood"[], short varchar(3), uuid uuid)`)

  const cases: { member: string; value: unknown; as?: string; stored: unknown }[] = [
    {
      member: 'jsonb',
      value: { a: [1, { b: null }], 'ü"\\': '\n' },
      as: 'jsonb::text',
      stored: '{"a": [1, {"b": null}], "ü\\"\\\\": "\\n"}'
    },
    { member: 'jsonb', value: 'a text', as: 'jsonb::text', stored: '"a text"' },
    { member: 'jsonb', value: '{"no":"object"}', as: 'jsonb_typeof(jsonb)', stored: 'string' },
    { member: 'jsonb', value: 7, as: 'jsonb::text', stored: '7' },
    { member: 'jsonb', value: false, as: 'jsonb::text', stored: 'false' },
    { member: 'jsonb', value: [], as: 'jsonb::text', stored: '[]' },
    { member: 'jsonb', value: null, stored: null },
    { member: 'json', value: { z: 1, a: 2 }, as: 'json::text', stored: '{"z":1,"a":2}' },
    {
      member: 'texts',
      value: ['a', 'b,c', '"', '\\', '{}', '', 'NULL'],
      as: 'to_json(texts)::text',
      stored: '["a","b,c","\\"","\\\\","{}","","NULL"]'
    },
    { member: 'texts', value: [], as: 'texts::text', stored: '{}' },
    { member: 'texts', value: null, stored: null },
    { member: 'numbers', value: [1, -2], as: 'numbers::text', stored: '{1,-2}' },
    { member: 'bigNumber', value: Number.MAX_SAFE_INTEGER, as: 'big_number::text', stored: '9007199254740991' },
    { member: 'big', value: 9223372036854775807n, as: 'big::text', stored: '9223372036854775807' },
    { member: 'numeric', value: '12345678901234567890.125', as: '"numeric"::text', stored: '12345678901234567890.125' },
    { member: 'numeric', value: 'NaN', as: '"numeric"::text', stored: 'NaN' },
    { member: 'double', value: 0.1 + 0.2, as: 'double::text', stored: '0.30000000000000004' },
    { member: 'double', value: Number.NaN, as: 'double::text', stored: 'NaN' },
    { member: 'double', value: Number.NEGATIVE_INFINITY, as: 'double::text', stored: '-Infinity' },
    { member: 'double', value: -0, as: 'double::text', stored: '0' },
    { member: 'real', value: 1.5, as: '"real"::text', stored: '1.5' },
    { member: 'bytes', value: Buffer.from([0, 255, 92, 1]), as: "encode(bytes, 'hex')", stored: '00ff5c01' },
    { member: 'bytes', value: Buffer.alloc(0), as: "encode(bytes, 'hex')", stored: '' },
    { member: 'date', value: new Date(1), as: 'extract(epoch FROM date)::text', stored: '0.001000' },
    {
      member: 'time',
      value: '2026-01-31T12:00:00.123456+02:00',
      as: "to_json(time AT TIME ZONE 'UTC')::text",
      stored: '"2026-01-31T10:00:00.123456"'
    },
    { member: 'day', value: '2026-01-31', as: 'day::text', stored: '2026-01-31' },
    { member: 'flag', value: false, as: 'flag::text', stored: 'false' },
    { member: 'mood', value: 'so so', as: 'mood::text', stored: 'so so' },
    { member: 'moods', value: ['so so', 'fine'], as: 'moods::text', stored: '{"so so",fine}' },
    { member: 'short', value: 'äöü', stored: 'äöü' },
    { member: 'uuid', value: `${ID}00`, stored: `${ID}00` }
  ]
  for (const { member, value, as = `"${member}"`, stored: expected } of cases) {
    for (const way of WAYS) {
      const { ids } = await write(way, kinds, [{ [member]: value }], 'kinds')
      const [row] = await sql.unsafe(`SELECT ${as} AS stored FROM kinds WHERE id = $1`, [ids[0] ?? ''])
      const text = typeof value === 'bigint' ? value : JSON.stringify(value)
      t.equal(row?.stored, expected, `${member} holds ${text} by ${way}`)
    }
  }
})

t.test('takes the text of a type of its own, in a column of JSON, for JSON', async t => {
  const own = pg.customType<{ data: unknown; driverData: string }>({ dataType: () => 'jsonb', toDriver: String })
  const table = pg.pgTable('own_json', { id: pg.uuid().primaryKey(), own: own() })
  await sql`CREATE TABLE own_json (id uuid PRIMARY KEY, own jsonb)`
  const cases = [
    ['{"a":[1,"x"],"big":12345678901234567890}', '{"a": [1, "x"], "big": 12345678901234567890}'],
    ['"text"', '"text"'],
    [7, '7'],
    ['null', null]
  ]
  for (const [value, stored] of cases) {
    for (const way of WAYS) {
      const { ids } = await write(way, table, [{ own: value }], 'own_json')
      const [row] = await sql`SELECT own::text FROM own_json WHERE id = ${ids[0] ?? ''}`
      t.equal(row?.own, stored, `${value} by ${way}`)
    }
  }
  t.throws(() => createRowWriter(table).toRow({ own: '1}, {"own":2' }, `${ID}00`, `${ID}00`), SyntaxError)
})

const refusals: { when: string; row: Record<string, unknown>; code: string; byCopy?: string }[] = [
  { when: 'a text has half of a surrogate pair', row: { texts: ['\ud800'] }, code: '22P02' },
  { when: 'a text holds U+0000', row: { short: '\u0000' }, code: '22P05', byCopy: '22021' },
  { when: 'a single text has half of a surrogate pair', row: { short: '\ud800' }, code: '22P02' },
  { when: 'jsonb would hold U+0000', row: { jsonb: { a: '\u0000' } }, code: '22P05' },
  { when: 'a text is too long', row: { short: 'four' }, code: '22001' },
  { when: 'a number is too large', row: { numeric: '1e40' }, code: '22003' },
  { when: 'a point in time is none', row: { time: 'yesterday, perhaps' }, code: '22007' },
  { when: 'a word is not of the enum', row: { mood: 'bad' }, code: '22P02' }
]
for (const { when, row, code, byCopy } of refusals) {
  for (const way of WAYS) {
    t.test(`PostgreSQL refuses the record by ${way} when ${when}`, t =>
      refuses(t, way === 'COPY' ? (byCopy ?? code) : code, write(way, kinds, [row], 'kinds'))
    )
  }
}

t.test('throws for a value that its column cannot take', async t => {
  t.throws(() => createRowWriter(kinds).toRow({ date: 'no Date' }, ID, ID))
  t.throws(() => createRowWriter(kinds).toRow({ jsonb: 1n }, ID, ID))
})

const oddities = pg.pgSchema('odd "schema"')
const colour = oddities.enum('colour', ['red'])
const odd = oddities.table('Odd "table"', {
  id: pg.uuid('the id').primaryKey(),
  order: pg.text('order'),
  comma: pg.text('a,b').notNull().default('left out'),
  quoted: pg.text('say "hi"'),
  given: pg.text('given'),
  serial: pg.serial(),
  big: pg.bigserial({ mode: 'bigint' }),
  identity: pg.integer().generatedAlwaysAsIdentity(),
  open: pg.integer().generatedByDefaultAsIdentity(),
  sum: pg.integer().generatedAlwaysAs(raw`1 + 1`),
  colour: colour(),
  made: pg.text().$defaultFn(() => 'made'),
  touched: pg.text().$onUpdate(() => 'touched'),
  preset: pg.text().default('preset'),
  now: pg.timestamp({ withTimezone: true }).notNull().defaultNow()
})

t.test('a table of odd names in another schema', async t => {
  await sql.unsafe(`CREATE SCHEMA "odd ""schema""";
    CREATE TYPE "odd ""schema""".colour AS ENUM ('red');
    CREATE TABLE "odd ""schema"""."Odd ""table""" ("the id" uuid PRIMARY KEY, "order" text,
      "a,b" text NOT NULL DEFAULT 'left out', "say ""hi""" text, given text, serial serial, big bigserial,
      identity int GENERATED ALWAYS AS IDENTITY, open int GENERATED BY DEFAULT AS IDENTITY,
      sum int GENERATED ALWAYS AS (1 + 1) STORED, colour "odd ""schema""".colour, made text, touched text,
      preset text DEFAULT 'preset', now timestamptz NOT NULL DEFAULT now());
    CREATE VIEW odd AS SELECT "the id" AS id, * FROM "odd ""schema"""."Odd ""table"""`)

  const rows = [
    { order: 'o', quoted: 'q', given: 'g', colour: 'red' },
    { comma: 'c', preset: null, made: null, touched: null, serial: 70, open: 80, sum: 5, identity: 9, stranger: 1 },
    { comma: undefined, preset: undefined, made: undefined }
  ]
  const { result, stored, ids } = await write('INSERT', odd, rows, 'odd')

  t.strictSame(result, { newIds: null, rowCount: 3 })
  t.match(stored, [
    { 'the id': ids[0], order: 'o', 'say "hi"': 'q', given: 'g', colour: 'red', 'a,b': 'left out', sum: 2 },
    { 'a,b': 'c', serial: 70, open: 80, sum: 2, identity: Number, now: Date },
    { 'a,b': 'left out', serial: 2, big: '2', made: 'made', touched: 'touched', preset: 'preset', order: null }
  ])
  t.match(stored[0], { serial: 1, big: '1', open: 1, made: 'made', touched: 'touched', preset: 'preset' })
  t.match(stored[1], { preset: null, made: null, touched: null }, 'null is not the default')
})

t.test('rows that leave the same columns out share a statement', async t => {
  const { toRow } = createRowWriter(odd)

  t.equal(toRow({ order: 'a' }, ID, ID).omitted, toRow({ given: 'b' }, ID, ID).omitted)
  t.not(toRow({ comma: 'a' }, ID, ID).omitted, toRow({}, ID, ID).omitted)
})

t.test('rule 12: the id of a row is the one that it is given', async t => {
  const { toRow, toJson, toLine } = createRowWriter(odd)
  const row = toRow({ id: 'mine' }, `${ID}01`, `${ID}02`)

  t.ok(toLine(row)?.startsWith(`${ID}01\t`))
  t.match(JSON.parse(toJson(row)), { 'the id': `${ID}01`, __event_id: `${ID}02` })
})
