import type { WriteTransaction } from '../write-transaction.ts'
import { isDeadLetterOf } from './dead-letter-of.ts'
import type { NewDeadLetter } from './dead-letter-writes.ts'

/** A foreign dead letter as it is written. */
export interface ImportedLetter extends NewDeadLetter {
  /** Its source is gone: it may have been imported before, with another id, when it was there. */
  readonly isLost: boolean
  readonly origin: Readonly<Record<string, unknown>>
}

/** What there is to be done with letters, by event id: each is in one set at most, the new ones in none. */
export interface Known {
  /** Their event had its effect. */
  readonly settled: ReadonlySet<string>
  /** There is a dead letter of their event, in whatever state. */
  readonly present: ReadonlySet<string>
}

interface Group {
  readonly groupId: string
  readonly topic: string
}

/** Sorts out the letters whose event is known. */
export async function findKnown(
  tx: WriteTransaction,
  { groupId, topic }: Group,
  letters: readonly ImportedLetter[]
): Promise<Known> {
  const given = letters.map(({ eventId, isLost, origin }) => ({ eventId, isLost, origin }))
  const rows = await tx.query(
    `SELECT "eventId" AS id,
       (SELECT true FROM messages WHERE messages.topic = $2 AND messages.id = "eventId") AS settled,
       (SELECT true FROM dead_letters AS dead WHERE ${isDeadLetterOf('"eventId"')}) IS NOT NULL
         OR "isLost" AND EXISTS (SELECT FROM dead_letters AS dead WHERE dead.group_id = $1 AND dead.topic = $2
           AND dead.disposition = 'imported' AND dead.origin ->> 'topic' = given.origin ->> 'topic'
           AND dead.origin ->> 'partition' = given.origin ->> 'partition'
           AND dead.origin ->> 'offset' = given.origin ->> 'offset')
         AS present
     FROM json_to_recordset($3::text::json) AS given("eventId" uuid, "isLost" boolean, origin json)`,
    [groupId, topic, JSON.stringify(given)]
  )
  const settled = rows.filter(row => row.settled)
  const present = rows.filter(row => row.present && !row.settled)
  return {
    settled: new Set(settled.map(({ id }) => String(id))),
    present: new Set(present.map(({ id }) => String(id)))
  }
}

/** Writes imported dead letters; gives how many were new. One that somebody else wrote meanwhile stays as it is. */
export async function insertImported(
  tx: WriteTransaction,
  { groupId, topic }: Group,
  letters: readonly ImportedLetter[]
): Promise<number> {
  if (letters.length === 0) return 0
  const { count } = await tx.query(
    `INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp, stage,
       disposition, error_name, error_message, error_stack, attempts, origin)
     SELECT id, $1, $2, "eventId", partition, "offset", decode(key, 'base64'), decode(value, 'base64'), headers, timestamp,
       stage, disposition, "errorName", "errorMessage", "errorStack", attempts, origin
     FROM json_to_recordset($3::text::json) AS given(id uuid, "eventId" uuid, partition int, "offset" bigint, key text,
       value text, headers json, timestamp timestamptz, stage text, disposition text, "errorName" text,
       "errorMessage" text, "errorStack" text, attempts int, origin json)
     ON CONFLICT (group_id, topic, event_id) DO NOTHING`,
    [groupId, topic, JSON.stringify(letters)]
  )
  return count
}
