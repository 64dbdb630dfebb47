import type { Sql } from 'postgres'
import { type AlertState, readAlertStates } from './alert-turns.ts'
import { isFloodStop } from './flood.ts'
import { json, plain, text, time } from './item.ts'
import { createList, rangeOf } from './list.ts'

/** A function as the alert rules look at it. */
export interface FunctionAlertState {
  readonly groupId: string
  readonly topic: string
  readonly state: 'running' | 'paused' | 'stopped'
  readonly isFlood: boolean
}

const DELIVERIES = `(SELECT coalesce(json_agg(json_build_object('sink', sink, 'state', state, 'attempts', attempts,
  'at', to_char(delivery.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY sink), '[]')
  FROM alert_deliveries AS delivery WHERE notice_id = sized.id)`

const EXPIRE_AT_ONCE = 1_000

/** Reads of alerts, and of what only the alert rules ask of other tables. */
export function createAlertQueries(sql: Sql) {
  return {
    /** What the gateway that leads wrote last; `evaluatedAtMs` is null when none ever did. */
    async states(): Promise<{ states: AlertState[]; evaluatedAtMs: number | null }> {
      const query = (statement: string) => sql.unsafe(statement, [], { prepare: true })
      const [states, [row]] = await Promise.all([
        readAlertStates(query),
        query('SELECT (extract(epoch FROM max(evaluated_at)) * 1000)::float8 AS at FROM gateway_reports')
      ])
      return { states, evaluatedAtMs: row?.at == null ? null : Math.round(Number(row.at)) }
    },

    /** Notices, newest first. Filters: `name`, `severity`, `from`, `to`. */
    history: createList(sql, {
      table: 'alert_notices',
      time: 'at',
      timeMember: 'at',
      item: {
        id: plain('id'),
        name: text('name'),
        severity: text('severity'),
        subject: text('subject'),
        event: text('event'),
        value: json('to_json(value)'),
        threshold: json('to_json(threshold)'),
        at: time('at'),
        summary: text('summary'),
        deliveries: json(DELIVERIES)
      },
      large: ['octet_length(summary)'],
      filters: { name: 'name = ?::text', severity: 'severity = ?::text', ...rangeOf('at') }
    }),

    async functions(): Promise<FunctionAlertState[]> {
      const rows = await sql.unsafe(
        `SELECT group_id AS "groupId", topic, state, ${isFloodStop()} AS "isFlood" FROM function_states`,
        [],
        { prepare: true }
      )
      // What is no flood has no details, and null of them.
      return rows.map(row => ({ ...row, isFlood: row.isFlood === true }) as unknown as FunctionAlertState)
    },

    /** The age of the dead letter that waits longest, of each topic; one without any is missing. */
    async deadLetters(topics: readonly string[]): Promise<{ topic: string; oldestSeconds: number }[]> {
      // Looks each up in the index: a heap of dead letters does not make it slow.
      const rows = await sql.unsafe(
        `SELECT wanted.topic, extract(epoch FROM clock_timestamp() - oldest.created_at)::float8 AS "oldestSeconds"
         FROM json_array_elements_text($1::text::json) AS wanted(topic) CROSS JOIN LATERAL (
           SELECT created_at FROM dead_letters WHERE dead_letters.topic = wanted.topic AND state = 'dead'
           ORDER BY created_at LIMIT 1) AS oldest`,
        [JSON.stringify(topics)],
        { prepare: true }
      )
      return rows.map(row => ({ topic: String(row.topic), oldestSeconds: Number(row.oldestSeconds) }))
    },

    /** The age of what waits longest, 0 when nothing does, and how many Kafka refused. */
    async outbox(): Promise<{ oldestSeconds: number; refused: number }> {
      const [row] = await sql.unsafe(
        `SELECT (SELECT count(*)::int FROM outbox WHERE refused_at IS NOT NULL) AS refused,
          (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM outbox
            WHERE refused_at IS NULL ORDER BY sequence LIMIT 1) AS oldest`,
        [],
        { prepare: true }
      )
      return { oldestSeconds: Number(row?.oldest ?? 0), refused: Number(row?.refused) }
    }
  }
}

/** The writes about alerts that are no turn. */
export function createAlertWrites(sql: Sql) {
  return {
    /** Deletes some of the notices that are older than 90 days, and says how many; call it again until that is 0. */
    async expire(): Promise<number> {
      const { count } = await sql.unsafe(
        `DELETE FROM alert_notices WHERE id IN (
           SELECT id FROM alert_notices WHERE at < now() - interval '90 days' ORDER BY at LIMIT ${EXPIRE_AT_ONCE})`,
        [],
        { prepare: true }
      )
      return count
    }
  }
}
