// A loader: the same rows out of memory, by one statement of a json parameter a batch, which keeps keys, indexes and ON
// CONFLICT on both tables. No Kafka, no position, nothing decoded; not the least that PostgreSQL can do for a row, which is
// less by COPY.
import { readFileSync } from 'node:fs'
import postgres from 'postgres'
import type { BenchEvent } from '../events.ts'
import { place } from './consume.ts'

const BATCH = 1_000
const CONNECTIONS = 2
const events: BenchEvent[] = JSON.parse(readFileSync(process.env.BENCH_EVENTS ?? '', 'utf8'))
const sql = postgres(place.databaseUrl, { max: CONNECTIONS, fetch_types: false })
const batches = Array.from({ length: Math.ceil(events.length / BATCH) }, (_, index) =>
  toJson(events.slice(index * BATCH, (index + 1) * BATCH), index * BATCH)
)

await Promise.all(Array.from({ length: CONNECTIONS }, load))
await sql.end()
// What it cost is read when all rows are there: it has to live until then.
setInterval(() => undefined, 60_000)

async function load() {
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    await sql.unsafe(
      `WITH event AS MATERIALIZED (SELECT * FROM json_to_recordset($1::text::json) AS event(id uuid, partition int,
         "offset" bigint, key text, value json, headers json, at bigint, user_id text, action text, metadata jsonb,
         occurred_at timestamptz)),
       message AS (
         INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
         SELECT '${place.topic}', id, partition, "offset", key, value, headers, to_timestamp(at / 1000.0) FROM event
         ON CONFLICT DO NOTHING)
       INSERT INTO user_activities (id, user_id, action, metadata, occurred_at)
       SELECT id, user_id, action, metadata, occurred_at FROM event ON CONFLICT DO NOTHING`,
      [batch],
      { prepare: true }
    )
  }
}

function toJson(part: readonly BenchEvent[], first: number): string {
  return JSON.stringify(
    part.map(({ id, partition, key, value, timestampMs }, index) => {
      const { userId, action, metadata, timestamp } = JSON.parse(value)
      const headers = { id, 'content-type': 'application/json', 'producer-id': 'smg-kafka-producer' }
      return {
        ...{ id, partition, offset: first + index, key, value: JSON.parse(value), headers, at: timestampMs },
        ...{ user_id: userId, action, metadata, occurred_at: timestamp }
      }
    })
  )
}
