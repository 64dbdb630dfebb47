import type { WriteTransaction } from '../write-transaction.ts'
import { isDeadLetterOf } from './dead-letter-of.ts'

/** A dead letter as it is written; bytes as base64. */
export interface NewDeadLetter {
  readonly id: string
  readonly eventId: string
  readonly partition: number
  /** Decimal string. */
  readonly offset: string
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, base64: string | null])[]
  /** ISO 8601. */
  readonly timestamp: string
  readonly stage: string
  readonly disposition: string
  readonly errorName: string
  readonly errorMessage: string
  readonly errorStack: string | null
  readonly attempts: number
}

/**
 * Writes dead letters of a group, and gives the event ids of those that are new. One whose event is in the inbox is left out: it had its
 * effect. One that is there already, in whatever state, gets the coordinates of this copy.
 */
export async function insertDeadLetters(
  tx: WriteTransaction,
  { groupId, topic }: { groupId: string; topic: string },
  letters: readonly NewDeadLetter[]
): Promise<ReadonlySet<string>> {
  // As a scalar subquery the inbox is looked up; of NOT EXISTS the planner may make a join that reads all of it.
  const rows = await tx.query(
    `INSERT INTO dead_letters AS dead (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp,
       stage, disposition, error_name, error_message, error_stack, attempts)
     SELECT id, $1, $2, "eventId", partition, "offset", decode(key, 'base64'), decode(value, 'base64'), headers, timestamp,
       stage, disposition, "errorName", "errorMessage", "errorStack", attempts
     FROM json_to_recordset($3::text::json) AS given(id uuid, "eventId" uuid, partition int, "offset" bigint, key text,
       value text, headers json, timestamp timestamptz, stage text, disposition text, "errorName" text,
       "errorMessage" text, "errorStack" text, attempts int)
     WHERE coalesce((SELECT false FROM messages WHERE messages.topic = $2 AND messages.id = "eventId"), true)
     ON CONFLICT (group_id, topic, event_id) DO UPDATE
       SET copies = (dead.copies::jsonb || jsonb_build_array(jsonb_build_array(excluded.partition, excluded."offset"::text)))::json
       WHERE (dead.partition, dead."offset") <> (excluded.partition, excluded."offset")
         AND dead.key IS NOT DISTINCT FROM excluded.key AND dead.value IS NOT DISTINCT FROM excluded.value
         AND NOT dead.copies::jsonb @> jsonb_build_array(jsonb_build_array(excluded.partition, excluded."offset"::text))
     RETURNING event_id, xmax = 0 AS is_new`,
    [groupId, topic, JSON.stringify(letters)]
  )
  return new Set(rows.filter(row => row.is_new).map(row => String(row.event_id)))
}

/** Adds the coordinates of copies to the dead letters of their events; `copies` may name an event more than once. */
export async function addCopies(
  tx: WriteTransaction,
  { groupId, topic }: { groupId: string; topic: string },
  copies: readonly { eventId: string; partition: number; offset: string }[]
): Promise<void> {
  await tx.query(
    `UPDATE dead_letters AS dead SET copies = (dead.copies::jsonb || met.coordinates)::json
     FROM (
       SELECT dead.id, jsonb_agg(jsonb_build_array(copy.partition, copy."offset")) AS coordinates
       FROM json_to_recordset($3::text::json) AS copy("eventId" uuid, partition int, "offset" text)
         CROSS JOIN LATERAL (SELECT * FROM dead_letters AS dead WHERE ${isDeadLetterOf('copy."eventId"')} LIMIT 1) AS dead
       WHERE (dead.partition, dead."offset"::text) <> (copy.partition, copy."offset")
         AND NOT dead.copies::jsonb @> jsonb_build_array(jsonb_build_array(copy.partition, copy."offset"))
       GROUP BY dead.id) AS met
     WHERE dead.id = met.id`,
    [groupId, topic, JSON.stringify(copies)]
  )
}
