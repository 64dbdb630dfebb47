import type { Sql } from 'postgres'
import { type AlertState, type Delivery, readAlertStates, writeDeliveries } from './alert-turns.ts'
import { json, plain, text, time } from './item.ts'
import { createList, rangeOf } from './list.ts'

const DELIVERIES = `(SELECT coalesce(json_agg(json_build_object('sink', sink, 'state', state, 'attempts', attempts,
  'at', to_char(delivery.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY sink), '[]')
  FROM alert_deliveries AS delivery WHERE notice_id = sized.id)`

const EXPIRE_AT_ONCE = 1_000

/** Reads of what was said of alerts. */
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
    })
  }
}

/** The writes about alerts that are no turn. */
export function createAlertWrites(sql: Sql) {
  return {
    /** Writes what became of notices, without waiting for a turn. */
    async settle(deliveries: readonly Delivery[]): Promise<void> {
      await writeDeliveries(
        (text, parameters) => sql.unsafe(text, [...(parameters ?? [])], { prepare: true }),
        deliveries
      )
    },

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
