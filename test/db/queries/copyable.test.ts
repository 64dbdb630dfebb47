import * as pg from 'drizzle-orm/pg-core'
import t from 'tap'
import { createRowWriter } from '../../../db/queries/row-writer.ts'
import { createWriter } from '../../../db/writer.ts'
import { createTestDatabase } from '../../_support/database.ts'

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const { databaseUrl, sql } = await createTestDatabase(t)
const writer = createWriter(databaseUrl, { applicationName: 'test-writer' })
t.teardown(() => writer.close())
await sql.unsafe(`CREATE SCHEMA other; CREATE TYPE other."Mood" AS ENUM ('fine'); CREATE DOMAIN natural_number AS int`)

const other = pg.pgSchema('other')
const mood = other.enum('Mood', ['fine'])
let count = 0

/** Whether a table is copied into that is made by these definitions. */
async function ask(columns: Record<string, pg.PgColumnBuilderBase>, definition: string, more = '') {
  count += 1
  const name = `Table "${count}`
  const target = `other."${name.replaceAll('"', '""')}"`
  await sql.unsafe(`CREATE TABLE ${target} (id uuid PRIMARY KEY, ${definition}); ${more.replaceAll('TARGET', target)}`)
  const rowWriter = createRowWriter(other.table(name, { id: pg.uuid().primaryKey(), ...columns }))
  return writer.transaction(tx => rowWriter.isCopyable(tx), LIMITS)
}

t.test('copies into columns of the types that are declared', async t => {
  const columns = {
    serial: pg.serial(),
    big: pg.bigserial({ mode: 'number' }),
    char: pg.char({ length: 3 }),
    varchar: pg.varchar({ length: 3 }),
    varchars: pg.varchar({ length: 3 }).array(),
    text: pg.text(),
    numeric: pg.numeric({ precision: 6, scale: 2 }),
    whole: pg.numeric({ precision: 6 }),
    free: pg.numeric(),
    double: pg.doublePrecision(),
    real: pg.real(),
    boolean: pg.boolean(),
    json: pg.json(),
    jsonb: pg.jsonb(),
    timestamp: pg.timestamp({ precision: 3, withTimezone: true }),
    time: pg.time({ precision: 3 }),
    date: pg.date(),
    interval: pg.interval(),
    point: pg.point(),
    bit: pg.bit({ dimensions: 3 }),
    mood: mood(),
    moods: mood().array(),
    list: pg.integer().array(4),
    'Odd "Name': pg.smallint()
  }
  const definition = `serial serial, big bigserial, char char(3), varchar varchar(3), varchars varchar(3)[], text text,
    numeric numeric(6, 2), whole numeric(6), free numeric, double float8, real real, boolean bool, json json,
    jsonb jsonb, timestamp timestamptz(3), time time(3), date date, interval interval, point point, bit bit(3),
    mood other."Mood", moods other."Mood"[], list int[4], "Odd ""Name" smallint, not_declared int`

  t.equal(await ask(columns, definition), true)
})

const different = [
  { when: 'a length differs', column: pg.varchar({ length: 3 }), type: 'varchar(4)' },
  { when: 'a precision differs', column: pg.timestamp({ precision: 0 }), type: 'timestamp' },
  { when: 'a time has no zone', column: pg.timestamp({ withTimezone: true }), type: 'timestamp' },
  { when: 'a type differs', column: pg.doublePrecision(), type: 'integer' },
  { when: 'a type is a domain', column: pg.integer(), type: 'natural_number' },
  { when: 'there is no such type', column: pg.customType({ dataType: () => 'nothing' })(), type: 'text' }
]
for (const { when, column, type } of different) {
  t.test(`does not copy when ${when}`, async t => t.equal(await ask({ n: column }, `n ${type}`), false))
}

t.test('does not copy past a rule, and asks once', async t => {
  const rule = 'CREATE RULE nothing AS ON INSERT TO TARGET DO INSTEAD NOTHING'
  t.equal(await ask({ n: pg.integer() }, 'n integer', rule), false)

  await sql.unsafe('CREATE TABLE later (id uuid PRIMARY KEY)')
  const rowWriter = createRowWriter(pg.pgTable('later', { id: pg.uuid().primaryKey() }))
  const texts: string[] = []
  const isCopyable = () =>
    writer.transaction(tx => {
      const query: typeof tx.query = (text, parameters) => {
        texts.push(text)
        return tx.query(text, parameters)
      }
      return rowWriter.isCopyable({ ...tx, query })
    }, LIMITS)
  t.strictSame([await isCopyable(), await isCopyable()], [true, true])
  t.equal(texts.length, 1)
})
