import type { Sql } from 'postgres'
import { dbErrors } from '../errors.ts'
import { isFloodStop } from './flood.ts'

/** What is wanted of a function, as operators and flood breakers wrote it down. */
export interface OperatorState {
  readonly state: 'running' | 'paused' | 'stopped'
  readonly reason: string | null
  /** It was resumed after a stop, and nobody has settled its first record yet. */
  readonly isProbe: boolean
  /** Of the last stop by a flood; undefined without one. */
  readonly flood: { readonly reason: string; readonly fileHash: string } | undefined
  /** It is stopped, by no flood, and for a while no runner has said so. */
  readonly isForgotten: boolean
}

/** A stopped runner says so every 30 s, when it tries again, and that may take a while; of these it may miss two. */
const FORGOTTEN_S = 90

const IS_FORGOTTEN = `(state = 'stopped' AND NOT ${isFloodStop()} AND
  coalesce((details->>'stoppedAt')::float8, extract(epoch FROM since)) < extract(epoch FROM now()) - ${FORGOTTEN_S})`

/** Hints only: what they miss is found by the transaction that asks. */
const MAX_BLOCKED = 100_000

/** Builds what runners ask again and again, and what flood breakers write. */
export function createOperatorQueries(sql: Sql) {
  const given = (groupIds: readonly string[]) =>
    sql`(SELECT json_array_elements_text(${JSON.stringify(groupIds)}::text::json))`

  return {
    /** By group; one that has no row runs. @throws SMG_DB_CONNECTION_LOST for an answer that leaves one out */
    async states(groupIds: readonly string[]): Promise<Map<string, OperatorState>> {
      const rows = await sql`
        SELECT given.group_id, state, reason, details::text, ${sql.unsafe(IS_FORGOTTEN)} AS is_forgotten
        FROM ${given(groupIds)} AS given(group_id) LEFT JOIN function_states USING (group_id)`
      // One row a group at least: whatever an empty answer means, it is not that nobody stopped anything.
      if (rows.length < groupIds.length) throw new dbErrors.SMG_DB_CONNECTION_LOST('before it answered')
      const known = rows.filter(({ state }) => state !== null)
      return new Map(
        known.map(({ group_id, state, reason, details, is_forgotten }) => {
          const { probe, flood } = JSON.parse(String(details)) as { probe?: boolean; flood?: OperatorState['flood'] }
          return [String(group_id), { state, reason, isProbe: probe === true, flood, isForgotten: is_forgotten }]
        })
      )
    },

    /** Those that have dead letters to be redriven. */
    async redriving(groupIds: readonly string[]): Promise<Set<string>> {
      const rows = await sql`
        SELECT group_id FROM ${given(groupIds)} AS given(group_id)
        WHERE EXISTS (SELECT FROM dead_letters AS dead WHERE dead.group_id = given.group_id AND state = 'redriving')`
      return new Set(rows.map(row => String(row.group_id)))
    },

    /** How often operators moved positions of the groups; one without positions is missing. */
    async moves(groupIds: readonly string[]): Promise<Map<string, number>> {
      const rows = await sql`
        SELECT group_id, sum(moves)::int AS moves FROM topic_status JOIN ${given(groupIds)} AS given(group_id) USING (group_id)
        GROUP BY group_id`
      return new Map(rows.map(row => [String(row.group_id), Number(row.moves)]))
    },

    /** Hashes of the keys whose records are parked, in hex. */
    async blockedKeys(groupId: string): Promise<string[]> {
      const rows = await sql`
        SELECT encode(key_hash, 'hex') AS hash FROM blocked_keys WHERE group_id = ${groupId} LIMIT ${MAX_BLOCKED}`
      return rows.map(row => String(row.hash))
    },

    /** Lets a function that was stopped by a flood go on with one record: its file is another one now. */
    async probe(groupId: string, fileHash: string): Promise<void> {
      await sql`
        UPDATE function_states SET state = 'running', reason = NULL, recent = NULL, since = now(),
          details = details || '{"probe": true}'::jsonb
        WHERE group_id = ${groupId} AND ${sql.unsafe(isFloodStop())}
          AND details->'flood'->>'fileHash' <> ${fileHash}`
    },

    /** Stops a function for all runners of its group. One that a flood stopped, or that is paused, stays what it is. */
    async stop(
      { groupId, topic }: { groupId: string; topic: string },
      { reason, text, fileHash }: { reason: string; text: string; fileHash: string }
    ): Promise<void> {
      await sql`
        INSERT INTO function_states AS known (group_id, topic, state, reason, details)
        VALUES (${groupId}, ${topic}, 'stopped', ${text}, ${JSON.stringify({ flood: { reason, fileHash } })}::text::jsonb)
        ON CONFLICT (group_id, topic) DO UPDATE SET state = 'stopped', reason = excluded.reason,
            details = excluded.details, since = now()
          WHERE known.state <> 'paused' AND NOT ${sql.unsafe(isFloodStop('known'))}`
    },

    /** Notes that a function runs where a runner owns some of it, if no other has said for a while that it is stopped. */
    async work(groupId: string): Promise<void> {
      await sql`
        UPDATE function_states SET state = 'running', reason = NULL, since = now(), details = details - 'stoppedAt'
        WHERE group_id = ${groupId} AND ${sql.unsafe(IS_FORGOTTEN)}`
    },

    /** Notes that a resumed function got past its first record: its counting begins anew. */
    async go(groupId: string): Promise<void> {
      await sql`
        UPDATE function_states SET details = details - 'probe' - 'flood', recent = NULL
        WHERE group_id = ${groupId} AND details->'probe' IS NOT NULL`
    }
  }
}
