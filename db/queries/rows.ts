import type { Sql } from 'postgres'
import { type Item, json, plain, text, time } from './item.ts'
import { createList, rangeOf } from './list.ts'

interface RowTable {
  readonly table: string
  /** The event's own. */
  readonly fields: Item
  /** Columns of text by the field that a list can be filtered by. */
  readonly filters: Readonly<Record<string, string>>
  /** The field that may hold much. */
  readonly free: string
}

/** Reads of the functions' tables: lists of rows, newest first by when they occurred. */
export function createRowQueries(sql: Sql) {
  return {
    /** Filters: `userId`, `action`, `from`, `to`. */
    userActivities: createRowList(sql, {
      table: 'user_activities',
      fields: { userId: text('user_id'), action: text('action'), metadata: json('metadata') },
      filters: { userId: 'user_id', action: 'action' },
      free: 'metadata'
    }),
    /** Filters: `source`, `name`, `from`, `to`. */
    systemMetrics: createRowList(sql, {
      table: 'system_metrics',
      fields: {
        source: text('source'),
        name: text('name'),
        // As JSON: the text of a number that is none is no JSON.
        value: json('to_json(value)'),
        unit: text('unit'),
        labels: json('labels')
      },
      filters: { source: 'source', name: 'name' },
      free: 'labels'
    }),
    /** Filters: `service`, `level`, `from`, `to`. */
    errorLogs: createRowList(sql, {
      table: 'error_logs',
      fields: {
        service: text('service'),
        level: text('level'),
        message: text('message'),
        stack: text('stack'),
        context: json('context')
      },
      filters: { service: 'service', level: 'level' },
      free: 'context'
    }),
    /** Filters: `recipient`, `channel`, `from`, `to`. */
    notifications: createRowList(sql, {
      table: 'notifications',
      fields: {
        recipient: text('recipient'),
        channel: text('channel'),
        title: text('title'),
        message: text('message'),
        metadata: json('metadata')
      },
      filters: { recipient: 'recipient', channel: 'channel' },
      free: 'metadata'
    })
  }
}

function createRowList(sql: Sql, { table, fields, filters, free }: RowTable) {
  const conditions = Object.entries(filters).map(([name, column]) => [name, `${column} = ?::text`])

  return createList(sql, {
    table,
    time: 'occurred_at',
    item: { id: plain('id'), ...fields, timestamp: time('occurred_at'), receivedAt: time('received_at') },
    large: [`octet_length(${free}::text)`],
    filters: { ...Object.fromEntries(conditions), ...rangeOf('occurred_at') }
  })
}
