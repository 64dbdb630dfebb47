import type { Sql } from 'postgres'
import type { Query } from './blocked-keys.ts'
import { json, plain, text, time } from './item.ts'
import { createList, rangeOf } from './list.ts'

/** A request of an operator. */
export interface Operation {
  /** A UUID; the transactions of one request share it. */
  readonly id: string
  /** Who asks; null without security. */
  readonly operator: string | null
  /** Null for a command. */
  readonly requestId: string | null
}

/** What it did. */
interface Deed {
  readonly action: 'pause' | 'resume' | 'position' | 'redrive' | 'redrive_many' | 'discard' | 'import'
  /** Null for an action on several topics. */
  readonly topic: string | null
  readonly details: Readonly<Record<string, unknown>>
  /** More details: those of a second transaction are added to those of the first. */
  readonly counts?: Readonly<Record<string, number>>
}

/** Writes down what an operator did. Call it in the transaction of that: then there is not one without the other. */
export async function writeAudit(
  query: Query,
  { id, operator, requestId }: Operation,
  { action, topic, details, counts = {} }: Deed
): Promise<void> {
  await query(
    `INSERT INTO audit (id, operator, action, topic, request_id, details)
     VALUES ($1::uuid, $2, $3, $4, $5, $6::text::jsonb || $7::text::jsonb)
     ON CONFLICT (id) DO UPDATE SET details = audit.details || (
       SELECT coalesce(jsonb_object_agg(key, value::numeric + coalesce((audit.details->>key)::numeric, 0)), '{}')
       FROM jsonb_each_text($7::text::jsonb))`,
    [id, operator, action, topic, requestId, JSON.stringify(details), JSON.stringify(counts)]
  )
}

/** Reads of `audit`. */
export function createAuditQueries(sql: Sql) {
  return {
    /** Newest first, by when it was done. Filters: `action`, `operator`, `topic`, `from`, `to`. */
    list: createList(sql, {
      table: 'audit',
      time: 'at',
      timeMember: 'at',
      item: {
        id: plain('id'),
        at: time('at'),
        operator: text('operator'),
        action: text('action'),
        topic: text('topic'),
        details: json('details'),
        requestId: text('request_id')
      },
      large: ['octet_length(details::text)'],
      filters: { action: 'action = ?', operator: 'operator = ?', topic: 'topic = ?', ...rangeOf('at') }
    })
  }
}
