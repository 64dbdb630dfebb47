import type { Sql } from 'postgres'
import type { WriteTransaction } from '../write-transaction.ts'
import { type Operation, writeAudit } from './audit.ts'
import { lockKeysOf, type Query, releaseKeys } from './blocked-keys.ts'
import { isInTheWay } from './redrivable.ts'

/** Runs `work` in a transaction of its own. */
export type RunTransaction = <T>(work: (tx: WriteTransaction) => Promise<T>) => Promise<T>

/** What an operator wants of one dead letter. */
export interface RedriveRequest {
  /** Base64; null runs the record as it was. */
  readonly editedValue: string | null
  /** Runs it although an older one of its key is dead. */
  readonly overtake: boolean
  readonly operation: Operation
}

/** A dead letter as it was found, and what was done to it. */
export interface RequestedRedrive {
  /** After the request. */
  readonly state: string
  readonly isChanged: boolean
  /** The oldest dead letter of its key that stands in its way; null when none does. */
  readonly olderId: string | null
  readonly disposition: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly keyBase64: string | null
  readonly timestamp: string
  /** W3C's header of the record, as base64; null without one. */
  readonly traceparentBase64: string | null
}

/** What a redrive of many was asked for. */
export interface BulkRequest {
  readonly filter: Readonly<Record<string, unknown>>
  readonly limit: number
  readonly overtake: boolean
  readonly operation: Operation
}

const EXPIRE_AT_ONCE = 1_000

/**
 * What operators ask for of `dead_letters`; runners do it. Every change begins with a comparison of the state, and holds
 * the key before: what a runner is about to say of its head is waited for. What changes nothing is not in the audit.
 */
export function createDeadLetterRequests(sql: Sql, runTransaction: RunTransaction) {
  return {
    /** Asks for the redrive of one that is dead and first in its key; undefined when there is no such dead letter. */
    async redrive(id: string, request: RedriveRequest): Promise<RequestedRedrive | undefined> {
      const ask = () => runTransaction(tx => redriveOne(tx.query, id, request))
      const first = await ask()
      // Dead, free and yet not changed: another request came first, and now it is seen.
      const isOvertaken = first?.state === 'dead' && !first.isChanged && first.olderId === null
      return isOvertaken ? ask() : first
    },

    /**
     * Asks for the redrive of some of `all`, which are one request: an older one of a key that is in there too stands
     * in nobody's way. Calls of one request are one action in the audit, each with its own transaction.
     */
    async redriveSome(
      some: readonly string[],
      { all, filter, limit, overtake, operation }: { readonly all: readonly string[] } & BulkRequest
    ): Promise<{ redriven: number; skipped: number }> {
      return runTransaction(async tx => {
        await lockKeysOf(tx.query, some, 'SHARE')
        const [row] = await tx.query(
          `WITH request AS MATERIALIZED (SELECT id::uuid FROM json_array_elements_text($1::text::json) AS given(id)),
           chosen AS MATERIALIZED (
             SELECT dead.id, EXISTS (SELECT FROM dead_letters AS older WHERE ${isInTheWay('$3::bool')}
               AND older.id NOT IN (SELECT id FROM request)) AS "isBlocked"
             FROM json_array_elements_text($2::text::json) AS given(id) JOIN dead_letters AS dead ON dead.id = given.id::uuid
             WHERE dead.state = 'dead' ORDER BY dead.id FOR NO KEY UPDATE OF dead),
           changed AS (
             UPDATE dead_letters AS dead SET state = 'redriving', edited_value = NULL, requested_by = $4
             FROM chosen WHERE dead.id = chosen.id AND dead.state = 'dead' AND NOT "isBlocked" RETURNING dead.id)
           SELECT (SELECT count(*) FROM changed)::int AS redriven,
             (SELECT count(*) FROM chosen WHERE "isBlocked")::int AS skipped`,
          [JSON.stringify(all), JSON.stringify(some), overtake, operation.operator]
        )
        const counts = { redriven: Number(row?.redriven ?? 0), skipped: Number(row?.skipped ?? 0) }
        const topic = typeof filter.topic === 'string' ? filter.topic : null
        const deed = { action: 'redrive_many', topic, details: { filter, limit, overtake }, counts } as const
        if (counts.redriven > 0) await writeAudit(tx.query, operation, deed)
        return counts
      })
    },

    /**
     * Discards one that is dead, and lets go what it held back. Gives the state after it, which is `discarded` unless
     * it was in another than `dead`; undefined when there is no such dead letter.
     */
    discard(id: string, operation: Operation): Promise<string | undefined> {
      return runTransaction(async tx => {
        await lockKeysOf(tx.query, [id], 'UPDATE')
        const [row] = await tx.query(
          `UPDATE dead_letters SET state = 'discarded', resolved_at = now(), requested_by = $2
           WHERE id = $1::uuid AND state = 'dead'
           RETURNING group_id AS "groupId", topic, encode(sha256(key), 'hex') AS hash`,
          [id, operation.operator]
        )
        if (row?.hash) await releaseKeys(tx.query, String(row.groupId), [String(row.hash)])
        if (row) {
          await writeAudit(tx.query, operation, { action: 'discard', topic: String(row.topic), details: { id } })
          return 'discarded'
        }

        const [other] = await tx.query('SELECT state FROM dead_letters WHERE id = $1::uuid', [id])
        return other && String(other.state)
      })
    },

    /** Deletes some of what was resolved or discarded longer ago, and says how many; call it again until that is 0. */
    async expire(retentionMs: number): Promise<number> {
      const { count } = await sql.unsafe(
        `DELETE FROM dead_letters WHERE id IN (
           SELECT id FROM dead_letters WHERE resolved_at < now() - $1::float8 * interval '1 millisecond'
             AND state IN ('resolved', 'discarded')
           ORDER BY resolved_at LIMIT ${EXPIRE_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
        [retentionMs],
        { prepare: true }
      )
      return count
    }
  }

  async function redriveOne(query: Query, id: string, { editedValue, overtake, operation }: RedriveRequest) {
    await lockKeysOf(query, [id], 'SHARE')
    const [row] = await query(
      `WITH dead AS MATERIALIZED (SELECT * FROM dead_letters WHERE id = $1::uuid),
       older AS MATERIALIZED (
         SELECT older.id FROM dead_letters AS older JOIN dead ON ${isInTheWay('$3::bool')}
         ORDER BY older.partition, older."offset" LIMIT 1),
       changed AS (
         UPDATE dead_letters AS target SET state = 'redriving', edited_value = decode($2, 'base64'), requested_by = $4
         FROM dead WHERE target.id = dead.id AND target.state = 'dead' AND NOT EXISTS (SELECT FROM older)
         RETURNING target.id)
       SELECT CASE WHEN EXISTS (SELECT FROM changed) THEN 'redriving' ELSE state END AS state,
         EXISTS (SELECT FROM changed) AS "isChanged", (SELECT id FROM older) AS "olderId", disposition, topic, partition,
         "offset"::text AS "offset", translate(encode(key, 'base64'), E'\\n', '') AS "keyBase64",
         timestamp::text AS timestamp, (SELECT header->>1 FROM json_array_elements(headers) AS given(header)
           WHERE header->>0 = 'traceparent' LIMIT 1) AS "traceparentBase64"
       FROM dead`,
      [id, editedValue, overtake, operation.operator]
    )
    if (!row) return undefined
    const asked = { ...row } as unknown as RequestedRedrive
    const details = { id, isEdited: editedValue !== null, overtake }
    if (asked.isChanged) await writeAudit(query, operation, { action: 'redrive', topic: asked.topic, details })
    return asked
  }
}
