import type { Sql } from 'postgres'
import { toConditions } from './dead-letters.ts'
import type { Filters } from './list.ts'

/** What a redrive by filter would be about. */
interface Redrivable {
  /** Those that are dead. */
  readonly matched: number
  /** Most first, 100 at most. */
  readonly reasons: readonly { stage: string; disposition: string; error: string; count: number }[]
}

/** A record, as `messages` would have it. */
interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: string
  /** `base64:` and its bytes when it is no text. */
  readonly key: string
  readonly timestamp: string
}

// Newer messages of a topic that are looked through for one key.
const MAX_NEWER = 10_000

/** Reads of what a redrive would be about. */
export function createRedrivableQueries(sql: Sql) {
  return {
    /** Counts those of a filter that are dead, by reason. */
    async count(filters: Filters): Promise<Redrivable> {
      const { conditions, parameters } = toConditions(filters)
      const rows = await sql.unsafe(
        `SELECT stage, disposition, error_name AS error, count(*)::int AS count, (sum(count(*)) OVER ())::int AS matched
        FROM dead_letters WHERE state = 'dead' ${conditions}
        GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3 LIMIT 100`,
        parameters,
        { prepare: true }
      )
      const reasons = rows.map(({ stage, disposition, error, count }) => ({ stage, disposition, error, count }))
      return { matched: rows[0]?.matched ?? 0, reasons }
    },

    /** Gives the ids of the dead ones of a filter, those that died first before the others. */
    async list(filters: Filters, limit: number): Promise<string[]> {
      const { conditions, parameters } = toConditions(filters)
      const rows = await sql.unsafe(
        `SELECT id::text AS id FROM dead_letters WHERE state = 'dead' ${conditions}
        ORDER BY created_at, partition, "offset", id LIMIT $${parameters.length + 1}::int`,
        [...parameters, limit],
        { prepare: true }
      )
      return rows.map(({ id }) => id)
    },

    /** Counts the dead ones of a request that an older one of their key, which is not part of it, would hold back. */
    async countHeldBack(ids: readonly string[], { overtake }: { overtake: boolean }): Promise<number> {
      const [row] = await sql.unsafe(
        `WITH request AS MATERIALIZED (SELECT id::uuid FROM json_array_elements_text($1::text::json) AS given(id))
        SELECT count(*)::int AS count FROM request JOIN dead_letters AS dead USING (id)
        WHERE dead.state = 'dead' AND EXISTS (SELECT FROM dead_letters AS older WHERE ${isInTheWay('$2::bool')}
          AND older.id NOT IN (SELECT id FROM request))`,
        [JSON.stringify(ids), overtake],
        { prepare: true }
      )
      return row?.count ?? 0
    },

    /** Counts messages of a key that lie behind a record, among the 10,000 of its topic that came next. */
    async countLaterSettled({ topic, partition, offset, key, timestamp }: Place): Promise<number> {
      const [row] = await sql.unsafe(
        `SELECT count(*)::int AS count FROM (
          SELECT partition, key, "offset" FROM messages WHERE topic = $1 AND "timestamp" >= $2::text::timestamptz
          ORDER BY "timestamp", id LIMIT ${MAX_NEWER}) AS newer
        WHERE partition = $3::int AND key = $4 AND "offset" > $5::text::bigint`,
        [topic, timestamp, partition, key, offset],
        { prepare: true }
      )
      return row?.count ?? 0
    }
  }
}

/**
 * Says, in SQL, that `older` comes before `dead` in its key and must be run before it. What is parked never goes before
 * its head, not even for someone who wants to overtake.
 */
export function isInTheWay(overtake: string): string {
  return `older.group_id = dead.group_id AND older.key IS NOT NULL AND sha256(older.key) = sha256(dead.key)
    AND older.state = 'dead' AND (older.partition, older."offset") < (dead.partition, dead."offset")
    AND (NOT ${overtake} OR (dead.disposition = 'parked_behind_key' AND older.disposition <> 'parked_behind_key'))`
}
