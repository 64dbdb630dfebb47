import t from 'tap'
import { createItemWriter, type ItemRow, json, plain, text, time, toColumns } from '../../../db/queries/item.ts'
import { createTestDatabase } from '../../_support/database.ts'

const { sql } = await createTestDatabase(t)

/** Reads one column both ways: as a member, and as PostgreSQL builds the same object. */
async function write(member: Parameters<typeof createItemWriter>[0][string], expression: string) {
  const item = { one: member, two: member }
  const [row] = await sql.unsafe<ItemRow[]>(`SELECT ${toColumns(item)}`)
  const [built] = await sql.unsafe(`SELECT json_build_object('one', ${expression}, 'two', ${expression})::text AS item`)
  return { written: row && createItemWriter(item)(row), built: built?.item }
}

const columns = [
  {
    when: 'text of every control character',
    make: text,
    column: `(SELECT string_agg(chr(n), '') FROM generate_series(1, 300) n)`
  },
  { when: 'text beyond the basic plane', make: text, column: `U&'\\+01F600\\2028\\FFFF'` },
  { when: 'no text', make: text, column: 'NULL::text' },
  { when: 'an id', make: plain, column: `'019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b'::uuid` },
  { when: 'json as it was sent', make: json, column: `' {"twice":1, "twice":-0,"big":12345678901234567890}'::json` },
  { when: 'jsonb', make: json, column: `'{"b":[1, 2.50],"a":null}'::jsonb` },
  { when: 'a number', make: json, column: 'to_json(1e20::float8)' },
  { when: 'a number that is none', make: json, column: `to_json('NaN'::float8)` },
  { when: 'no json', make: json, column: 'NULL::json' }
]

for (const { when, make, column } of columns) {
  t.test(`writes ${when} with the bytes of json_build_object`, async t => {
    const { written, built } = await write(make(column), column)

    t.equal(written, built)
  })
}

const times = [
  ['2026-01-31 12:00:00Z', '"2026-01-31T12:00:00.000Z"'],
  ['2026-01-31 12:00:00.5Z', '"2026-01-31T12:00:00.500Z"'],
  ['2026-01-31 12:00:00.123Z', '"2026-01-31T12:00:00.123Z"'],
  ['2026-01-31 12:00:00.1234Z', '"2026-01-31T12:00:00.123400Z"'],
  ['2026-01-31 12:00:00.000001Z', '"2026-01-31T12:00:00.000001Z"'],
  ['2026-01-31 12:00:00+14:00', '"2026-01-30T22:00:00.000Z"'],
  ['10000-01-01 00:00:00.12Z', '"10000-01-01T00:00:00.120Z"'],
  ['0044-03-15 12:00:00.25Z BC', '"0044-03-15T12:00:00.250Z"'],
  ['infinity', 'null']
] as const

for (const [stored, expected] of times) {
  t.test(`writes the time ${stored} in UTC, whatever the session says`, async t => {
    await sql`SET TimeZone = 'Asia/Kathmandu'`
    await sql`SET DateStyle = 'SQL, DMY'`

    const { written } = await write(time(`'${stored}'::timestamptz`), 'NULL')

    t.equal(written, `{"one" : ${expected}, "two" : ${expected}}`)
  })
}
