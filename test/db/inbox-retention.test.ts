import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { databaseFault } from '../../db/database-fault.ts'
import { createTestDatabase } from '../_support/database.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const REMOVES =
  /(DELETE\s+FROM|TRUNCATE|DROP\s+TABLE|DETACH\s+PARTITION)\s+(IF\s+EXISTS\s+)?"?messages\b|delete\(messages\)/i

t.test('rule 13: nothing removes an event from the inbox, so that none is older than what Kafka holds', async t => {
  const files = ['db', 'gateway', 'runner', 'sdk', 'stack'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(name => join(folder, name))
  )
  const sources = files.filter(name => /\.(ts|sql)$/.test(name))

  t.ok(sources.length > 100, `${sources.length} files`)
  t.strictSame(
    sources.filter(name => REMOVES.test(readFileSync(join(ROOT, name), 'utf8'))),
    []
  )
})

t.test(
  'rule 13: a day that nobody made is our fault in a table of ours, and the record’s in one of its own',
  async t => {
    const { sql } = await createTestDatabase(t)
    await sql.unsafe(`ALTER TABLE messages RENAME TO whole;
    CREATE TABLE messages (LIKE whole INCLUDING DEFAULTS) PARTITION BY RANGE (timestamp);
    CREATE TABLE days (day date) PARTITION BY RANGE (day)`)

    const ours = await sql`INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
    VALUES ('a', gen_random_uuid(), 0, 0, '{}', '{}', now())`.catch(error => error)
    const own = await sql`INSERT INTO days VALUES (now())`.catch(error => error)

    t.match([ours, own], [{ code: '23514' }, { code: '23514' }])
    t.equal(databaseFault(ours), 'ours')
    t.equal(databaseFault(own), 'record')
  }
)
