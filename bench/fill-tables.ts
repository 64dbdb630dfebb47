import type { Sql } from 'postgres'

export interface FillOptions {
  readonly rows: number
  /** The inbox has them under this topic. */
  readonly topic: string
  /** Told how many are there, now and then. */
  readonly onProgress: (rows: number) => void
}

const CHUNK = 500_000
const EVENTS_PER_MS = 10
/** So far back lies the last of them: ids of later events come behind theirs, as they do in a table that grew. */
const AGE_MS = 3_600_000

/**
 * Fills both tables with events like those of `makeEvents`, ids and times going up, and vacuums. Indexes that only grow at
 * their end are made afterwards, which is faster and leaves them as full as rows in this order do.
 */
export async function fillTables(sql: Sql, { rows, topic, onProgress }: FillOptions): Promise<void> {
  const startMs = Date.now() - AGE_MS - Math.ceil(rows / EVENTS_PER_MS)
  const indexes = await sql`
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE indexname IN ('messages_timestamp', 'messages_topic_timestamp', 'user_activities_occurred')`
  await sql.unsafe(`SET synchronous_commit = off; SET maintenance_work_mem = '512MB'`)
  for (const { name } of indexes) await sql`DROP INDEX ${sql(name)}`

  for (let first = 0; first < rows; first += CHUNK) {
    const end = Math.min(rows, first + CHUNK)
    await sql.unsafe(INSERT, [first, end - 1, startMs, topic])
    onProgress(end)
  }
  for (const { definition } of indexes) await sql.unsafe(definition)
  await sql.unsafe('VACUUM (ANALYZE) messages, user_activities')
}

const INSERT = `
  WITH event AS MATERIALIZED (
    SELECT n, at, "user",
      (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8' ||
        substr(hash, 4, 15))::uuid AS id,
      '{"page":"/products/' || n % 997 || '","referrer":"https://example.org/","session":' || n ||
        ',"isMobile":' || (n % 3 = 0)::text || '}' AS metadata
    FROM generate_series($1::bigint, $2::bigint) AS n
      CROSS JOIN LATERAL (SELECT to_timestamp(($3::bigint + n / ${EVENTS_PER_MS}) / 1000.0) AS at, md5(n::text) AS hash,
        'user-' || lpad((n * 7919 % 5000)::text, 5, '0') AS "user") AS made),
  message AS (
    INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp, received_at)
    SELECT $4::text, id, n % 3, n / 3, "user",
      ('{"userId":"' || "user" || '","action":"login","timestamp":"' ||
        to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '","metadata":' || metadata || '}')::json,
      ('{"id":"' || id || '","content-type":"application/json","producer-id":"smg-kafka-producer"}')::json, at, at
    FROM event)
  INSERT INTO user_activities (id, user_id, action, metadata, occurred_at, received_at)
  SELECT id, "user", 'login', metadata::jsonb, at, at FROM event`
