import type { Query } from './blocked-keys.ts'
import type { NewDeadLetter } from './dead-letter-writes.ts'
import { toArray } from './to-array.ts'

/** A dead letter that is to run through its function again, locked until the end of the transaction. */
export interface Redriving {
  readonly id: string
  readonly eventId: string
  readonly partition: number
  /** Decimal string. */
  readonly offset: string
  readonly key: Buffer | null
  /** SHA-256 of the key in hex; null without one. */
  readonly keyHash: string | null
  /** What an operator put in its place, else as it was. */
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, base64: string | null])[]
  readonly timestampMs: number
  readonly attempts: number
}

interface Group {
  readonly groupId: string
  readonly topic: string
}

// The oldest of those that wait: among them are the oldest of their keys, and nobody sorts a million to take some.
const MAX_WAITING = 20_000

/**
 * Takes dead letters that are to be redriven: whole keys, each from its oldest letter on, and keys that no other runner
 * has. A lock on the oldest letter is a lock on its key, because nobody takes a later one before that one is settled.
 *
 * @param options.except letters that have to wait a little, and what is behind them
 * @returns in the order of their offsets; empty when there are none, or others have them
 */
export async function takeRedriving(
  query: Query,
  { groupId, topic }: Group,
  { limit, maxBytes, except }: { limit: number; maxBytes: number; except: readonly string[] }
): Promise<Redriving[]> {
  const heads = await query(
    `WITH oldest AS MATERIALIZED (
       SELECT id, key, partition, "offset" AS at FROM dead_letters WHERE group_id = $1 AND topic = $2 AND state = 'redriving'
       ORDER BY dead_letters.partition, dead_letters."offset" LIMIT ${MAX_WAITING}),
     heads AS MATERIALIZED (
       SELECT DISTINCT ON (coalesce(sha256(key), uuid_send(id))) id FROM oldest
       ORDER BY coalesce(sha256(key), uuid_send(id)), partition, at)
     SELECT dead.id, encode(sha256(dead.key), 'hex') AS hash, dead.partition, dead."offset"::text AS at, ${SIZE} AS size
     FROM heads JOIN dead_letters AS dead USING (id)
     WHERE dead.state = 'redriving' AND NOT dead.id = ANY ($3::text::uuid[])
     LIMIT $4 FOR UPDATE OF dead SKIP LOCKED`,
    [groupId, topic, toArray(except), limit]
  )
  const hashes = heads.flatMap(({ hash }) => (hash === null ? [] : [String(hash)]))
  const followers =
    hashes.length === 0 || heads.length >= limit
      ? []
      : await query(
          `SELECT id, partition, "offset"::text AS at, ${SIZE} AS size FROM dead_letters
           WHERE group_id = $1 AND topic = $2 AND state = 'redriving' AND NOT id = ANY ($3::text::uuid[])
             AND key IS NOT NULL AND sha256(key) IN (SELECT decode(hash, 'hex') FROM json_array_elements_text($4::text::json) AS given(hash))
           ORDER BY dead_letters.partition, dead_letters."offset" LIMIT $5 FOR UPDATE`,
          [groupId, topic, toArray(heads.map(({ id }) => String(id))), JSON.stringify(hashes), limit - heads.length]
        )
  const ids: string[] = []
  let bytes = 0
  for (const { id, size } of [...heads, ...followers].sort(byPlace)) {
    if (ids.length > 0 && bytes + Number(size) > maxBytes) break
    bytes += Number(size)
    ids.push(String(id))
  }
  return ids.length === 0 ? [] : read(query, ids)
}

/** Takes one dead letter that is to be redriven; empty when another runner has it, or an older one of its key waits too. */
export async function takeOne(query: Query, id: string): Promise<Redriving[]> {
  const rows = await query(
    `SELECT dead.id FROM dead_letters AS dead
     WHERE dead.id = $1::uuid AND dead.state = 'redriving' AND NOT EXISTS (
       SELECT FROM dead_letters AS older WHERE older.group_id = dead.group_id AND older.topic = dead.topic
         AND older.state = 'redriving' AND older.key IS NOT NULL AND sha256(older.key) = sha256(dead.key)
         AND (older.partition, older."offset") < (dead.partition, dead."offset"))
     FOR UPDATE OF dead SKIP LOCKED`,
    [id]
  )
  return rows.length === 0 ? [] : read(query, [id])
}

/** Gives those of some dead letters that are not to be redriven any more: another runner has settled them. */
export async function findEnded(query: Query, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const rows = await query(
    `SELECT given.id FROM json_array_elements_text($1::text::json) AS given(id) WHERE NOT EXISTS
       (SELECT FROM dead_letters AS dead WHERE dead.id = given.id::uuid AND dead.state = 'redriving')`,
    [JSON.stringify(ids)]
  )
  return rows.map(({ id }) => String(id))
}

// The offset is given as `at`: under its own name, ORDER BY would take the text of the answer, where 10 comes before 9.
const SIZE = `coalesce(octet_length(edited_value), octet_length(value), 0) + coalesce(octet_length(key), 0)
  + octet_length(headers::text)`

function byPlace(a: Record<string, unknown>, b: Record<string, unknown>): number {
  if (a.partition !== b.partition) return Number(a.partition) - Number(b.partition)
  return BigInt(String(a.at)) < BigInt(String(b.at)) ? -1 : 1
}

async function read(query: Query, ids: readonly string[]): Promise<Redriving[]> {
  const rows = await query(
    `SELECT id, event_id, partition, "offset"::text AS at, encode(key, 'base64') AS key,
       encode(sha256(key), 'hex') AS hash, encode(coalesce(edited_value, value), 'base64') AS value, headers::text,
       extract(epoch FROM timestamp) * 1000 AS ms, attempts
     FROM dead_letters WHERE id = ANY ($1::text::uuid[]) ORDER BY partition, "offset"`,
    [toArray(ids)]
  )
  return rows.map(row => ({
    id: String(row.id),
    eventId: String(row.event_id),
    partition: Number(row.partition),
    offset: String(row.at),
    key: toBytes(row.key),
    keyHash: row.hash === null ? null : String(row.hash),
    value: toBytes(row.value),
    headers: JSON.parse(String(row.headers)),
    timestampMs: Math.round(Number(row.ms)),
    attempts: Number(row.attempts)
  }))
}

function toBytes(base64: unknown): Buffer | null {
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : null
}

/** Notes that dead letters had their effect: in the transaction of that effect. */
export async function resolve(query: Query, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await query(`UPDATE dead_letters SET state = 'resolved', resolved_at = now() WHERE id = ANY ($1::text::uuid[])`, [
    toArray(ids)
  ])
}

/** A redrive that failed: what is new about its dead letter. */
export type FailedAgain = Pick<
  NewDeadLetter,
  'id' | 'stage' | 'disposition' | 'errorName' | 'errorMessage' | 'errorStack' | 'attempts'
>

/** Makes dead letters dead again, for a new reason; what was to run behind them goes back with them. */
export async function failAgain(query: Query, groupId: string, failed: readonly FailedAgain[]): Promise<void> {
  if (failed.length === 0) return
  await query(
    `UPDATE dead_letters AS dead SET state = 'dead', stage = given.stage, disposition = given.disposition,
       error_name = given."errorName", error_message = given."errorMessage", error_stack = given."errorStack",
       attempts = given.attempts
     FROM json_to_recordset($1::text::json) AS given(id uuid, stage text, disposition text, "errorName" text,
       "errorMessage" text, "errorStack" text, attempts int)
     WHERE dead.id = given.id`,
    [JSON.stringify(failed)]
  )
  // What is noted of their redrive is over with it.
  await query(
    `WITH back AS (
       UPDATE dead_letters AS behind SET state = 'dead'
       FROM dead_letters AS head
       WHERE head.id = ANY ($2::text::uuid[]) AND head.key IS NOT NULL
         AND behind.group_id = $1 AND behind.key IS NOT NULL AND sha256(behind.key) = sha256(head.key)
         AND behind.state = 'redriving' AND (behind.partition, behind."offset") > (head.partition, head."offset")
       RETURNING behind.id)
     DELETE FROM redrive_trials USING back WHERE dead_letter_id = back.id`,
    [groupId, toArray(failed.map(({ id }) => id))]
  )
}

/** Adds what redrives settled to the counts of the group; on one row, because only their sum is asked for. */
export async function countRedriven(
  query: Query,
  { groupId, topic }: Group,
  { messages, rows }: { messages: number; rows: number }
): Promise<void> {
  if (messages === 0) return
  await query(
    `UPDATE topic_status SET message_count = message_count + $3, row_count = row_count + $4
     WHERE group_id = $1 AND topic = $2 AND partition =
       (SELECT min(partition) FROM topic_status WHERE group_id = $1 AND topic = $2)`,
    [groupId, topic, messages, rows]
  )
}
