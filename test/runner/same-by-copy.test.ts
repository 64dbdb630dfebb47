import { json, jsonb, pgTable, uuid } from 'drizzle-orm/pg-core'
import t from 'tap'
import { databaseFault } from '../../db/database-fault.ts'
import { createRowWriter } from '../../db/queries/row-writer.ts'
import { createWriter } from '../../db/writer.ts'
import { createOutboxEntries } from '../../runner/outbox-entries.ts'
import type { SettledRecord, WriteDependencies } from '../../runner/settled.ts'
import { toEntry } from '../../runner/to-entry.ts'
import type { Care } from '../../runner/write-entries.ts'
import { writeOutcomes } from '../../runner/write-outcomes.ts'
import { createTestDatabase } from '../_support/database.ts'
import { identified, idOf, PLACE, TIME_MS } from './_support/records.ts'

const notes = pgTable('notes', { id: uuid().primaryKey(), j: json(), b: jsonb().notNull() })
const rowWriter = createRowWriter(notes)
const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const { databaseUrl, sql } = await createTestDatabase(t)
await sql.unsafe('CREATE TABLE notes (id uuid PRIMARY KEY, j json, b jsonb NOT NULL)')
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

function handled(index: number, value: object | string, more: object, row: Record<string, unknown>): SettledRecord {
  const record = identified(index, value, more)
  return {
    record,
    outcome: { kind: 'handled', event: null, effect: null, published: [] },
    entry: toEntry(record, [row], rowWriter)
  }
}

async function write(cycle: readonly SettledRecord[]) {
  const run = (care: Care) =>
    writer.transaction(tx => writeOutcomes(tx, cycle, { care, byCopy: true }, dependencies), limits)
  try {
    await run('none')
  } catch (error) {
    if (databaseFault(error) !== 'record') throw error
    await run('again')
  }
  const [stored] = await sql`SELECT (SELECT timestamp::text FROM messages WHERE id = ${idOf(0)}) AS at,
    (SELECT j::text || b::text FROM notes WHERE id = ${idOf(0)}) AS row,
    (SELECT count(*)::int FROM dead_letters WHERE event_id = ${idOf(0)}) AS letters`
  await sql`TRUNCATE messages, notes, dead_letters`
  return stored
}

const FINE = { j: 1, b: 1 }
const records: Record<string, SettledRecord> = {
  'a header whose name holds U+0000': handled(0, { n: 1 }, { headers: [['n\u0000', Buffer.from('x')]] }, FINE),
  'json with half of a surrogate pair': handled(0, { n: 1 }, {}, { j: { t: '\u{1f600}'.slice(0, 1) }, b: 1 }),
  'json with U+0000': handled(0, { n: 1 }, {}, { j: { t: 'a\u0000b' }, b: 1 }),
  'jsonb of Infinity': handled(0, { n: 1 }, {}, { j: 1, b: Number.POSITIVE_INFINITY }),
  'a time in the year 9999': handled(0, { n: 1 }, { timestampMs: Date.parse('9999-12-31T23:59:59.999Z') }, FINE)
}
const others = Array.from({ length: 149 }, (_, index) => handled(index + 1, { n: index }, {}, FINE))
const refused = handled(200, { n: 1 }, {}, { j: 1, b: '\ud800' })

for (const [what, record] of Object.entries(records)) {
  t.test(`settles ${what} the same way, whatever comes with it`, async t => {
    const alone = await write([record])
    t.strictSame(await write([record, ...others]), alone, 'among 149 others')
    t.strictSame(await write([record, ...others, refused]), alone, 'among 149 others and one that is refused')
  })
}
