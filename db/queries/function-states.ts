import type { Sql } from 'postgres'
import { type Operation, writeAudit } from './audit.ts'
import type { RunTransaction } from './dead-letter-requests.ts'
import { isFloodStop } from './flood.ts'
import { isoText } from './list.ts'

/** What a function is doing, as its runners and operators wrote it down. */
export interface FunctionState {
  readonly groupId: string
  readonly topic: string
  readonly state: 'running' | 'paused' | 'stopped'
  readonly reason: string | null
  readonly since: string
  /** A flood of dead letters stopped it. */
  readonly isFlood?: boolean
}

/** An error that made a dead letter. */
export interface LastError {
  readonly topic: string
  readonly group: string
  readonly deadLetterId: string
  readonly stage: string
  readonly name: string
  readonly message: string
  readonly at: string
}

/**
 * Writes down what a function is doing. One that an operator paused stays paused, and one that a flood stopped, stopped.
 * A stop may be said again and again: that it still stands is noted too.
 */
export async function writeFunctionState(
  sql: Sql,
  { groupId, topic, state, reason }: Omit<FunctionState, 'since' | 'isFlood'>
): Promise<void> {
  await sql`
    INSERT INTO function_states AS known (group_id, topic, state, reason, details)
    VALUES (${groupId}, ${topic}, ${state}, ${reason},
      CASE ${state} WHEN 'stopped' THEN jsonb_build_object('stoppedAt', extract(epoch FROM now())) ELSE '{}' END)
    ON CONFLICT (group_id, topic) DO UPDATE SET state = excluded.state, reason = excluded.reason,
        details = known.details - 'stoppedAt' || excluded.details,
        since = CASE WHEN (known.state, known.reason) IS DISTINCT FROM (excluded.state, excluded.reason)
          THEN now() ELSE known.since END
      WHERE known.state <> 'paused' AND NOT ${sql.unsafe(isFloodStop('known'))}
        AND (excluded.state = 'stopped' OR (known.state, known.reason) IS DISTINCT FROM (excluded.state, excluded.reason))`
}

/** What operators ask for of `function_states`; runners look there. What changes nothing is not in the audit. */
export function createFunctionStateRequests(runTransaction: RunTransaction) {
  return {
    /** Holds a function up, whatever it does now. Says nothing new of one that is paused. */
    pause({ groupId, topic }: Pick<FunctionState, 'groupId' | 'topic'>, operation: Operation): Promise<void> {
      return runTransaction(async tx => {
        const { count } = await tx.query(
          `INSERT INTO function_states AS known (group_id, topic, state, reason) VALUES ($1, $2, 'paused', $3)
           ON CONFLICT (group_id, topic) DO UPDATE SET state = excluded.state, reason = excluded.reason, since = now()
             WHERE known.state <> 'paused'`,
          [groupId, topic, `paused by ${operation.operator ?? 'an operator'}`]
        )
        if (count > 0) await writeAudit(tx.query, operation, { action: 'pause', topic, details: {} })
      })
    },

    /** Lets a function go on that is paused or stopped; after a flood first with a single record. What it counted is over. */
    resume({ groupId, topic }: Pick<FunctionState, 'groupId' | 'topic'>, operation: Operation): Promise<void> {
      return runTransaction(async tx => {
        const [before] = await tx.query(
          `SELECT state, reason FROM function_states WHERE group_id = $1 AND topic = $2 AND state <> 'running' FOR UPDATE`,
          [groupId, topic]
        )
        if (!before) return
        await tx.query(
          `UPDATE function_states SET state = 'running', reason = NULL, recent = NULL, since = now(),
             details = CASE WHEN details->'flood' IS NULL THEN details ELSE details || '{"probe": true}' END
           WHERE group_id = $1 AND topic = $2`,
          [groupId, topic]
        )
        const { state, reason } = before
        await writeAudit(tx.query, operation, { action: 'resume', topic, details: { was: state, reason } })
      })
    }
  }
}

/** Reads of `function_states`, and of what went wrong last. */
export function createFunctionStateQueries(sql: Sql) {
  return {
    /** A function that has no row yet runs. */
    async all(): Promise<FunctionState[]> {
      const rows = await sql.unsafe(
        `SELECT group_id AS "groupId", topic, state, reason, ${isoText('since')} AS since,
          ${isFloodStop()} IS TRUE AS "isFlood" FROM function_states`,
        [],
        { prepare: true }
      )
      return rows.map(row => ({ ...row }) as unknown as FunctionState)
    },

    /** The five of a topic whose records are newest, newest first: as lists are ordered, and indexed. */
    async lastErrors(topics: readonly string[]): Promise<LastError[]> {
      // As one JSON parameter: an array of the driver is a malformed literal on a fresh connection.
      const rows = await sql.unsafe(
        `SELECT last.* FROM json_array_elements_text($1::text::json) AS wanted(topic) CROSS JOIN LATERAL (
          SELECT topic, group_id AS "group", id AS "deadLetterId", stage, error_name AS name, error_message AS message,
            ${isoText('created_at')} AS at
          FROM dead_letters WHERE dead_letters.topic = wanted.topic 
          ORDER BY timestamp DESC, id DESC LIMIT 5) AS last`,
        [JSON.stringify(topics)],
        { prepare: true }
      )
      return rows.map(row => ({ ...row }) as unknown as LastError)
    }
  }
}
