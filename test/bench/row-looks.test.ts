import t from 'tap'
import { type BenchEvent, makeEvents } from '../../bench/events.ts'
import { createRowLooks } from '../../bench/row-looks.ts'
import { createTestDatabase } from '../_support/database.ts'

const { sql } = await createTestDatabase(t)

/** Puts events into both tables, as a contender that makes no mistake. */
async function write(events: readonly BenchEvent[]) {
  const rows = events.map((event, offset) => ({ ...event, ...JSON.parse(event.value), offset }))
  await sql`
    WITH event AS (SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::text::json) AS event(id uuid, partition int,
      "offset" bigint, key text, value text, "userId" text, action text, metadata jsonb, timestamp timestamptz)),
    message AS (INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
      SELECT 'user-activities', id, partition, "offset", key, value::json, '{}', timestamp FROM event)
    INSERT INTO user_activities (id, user_id, action, metadata, occurred_at)
    SELECT id, "userId", action, metadata, timestamp FROM event`
}

const flaws = [
  { when: 'nothing is wrong', break: () => sql`SELECT 1`, finds: null },
  {
    when: 'a value is another one',
    break: () => sql`UPDATE messages SET value = '{}' WHERE "offset" = 3`,
    finds: /^1 of 10 not as they were sent/
  },
  {
    when: 'a key is another one',
    break: () => sql`UPDATE messages SET key = 'x' WHERE "offset" < 2`,
    finds: /^2 of 10 not as they were sent/
  },
  {
    when: 'a time is off by a millisecond',
    break: () => sql`UPDATE user_activities SET occurred_at = occurred_at + interval '1 ms'`,
    finds: /^10 of 10 not as they were sent/
  },
  {
    when: 'a row has the user of another one',
    break: () => sql`
      UPDATE user_activities AS one SET user_id = other.user_id FROM user_activities AS other
      WHERE one.id IN (SELECT min(id::text)::uuid FROM user_activities)
        AND other.id IN (SELECT max(id::text)::uuid FROM user_activities)`,
    finds: /^1 of 10 not as they were sent/
  },
  { when: 'a row is missing', break: () => sql`DELETE FROM messages WHERE "offset" = 3`, finds: /"messages":9/ }
]

for (const { when, break: breakRows, finds } of flaws) {
  t.test(`finds what is to be found when ${when}`, async t => {
    await sql`TRUNCATE messages, user_activities CASCADE`
    const events = makeEvents(10)
    const looks = await createRowLooks(sql, new Map([['user-activities', events]]))
    await write(events)
    await breakRows()

    const flaw = await looks.findFlaw()

    if (finds) t.match(flaw, finds)
    else t.equal(flaw, null)
  })
}
