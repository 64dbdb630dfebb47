import type { Sql } from 'postgres'
import { createList, isoText, rangeOf } from './list.ts'

interface RowTable {
  readonly table: string
  /** Columns by the name of their field. */
  readonly fields: Readonly<Record<string, string>>
  /** Fields that a list can be filtered by. */
  readonly filters: readonly string[]
  /** The column that may hold much. */
  readonly free: string
}

/** Reads of the functions' tables: lists of rows, newest first by when they occurred. */
export function createRowQueries(sql: Sql) {
  return {
    /** Filters: `userId`, `action`, `from`, `to`. */
    userActivities: createRowList(sql, {
      table: 'user_activities',
      fields: { userId: 'user_id', action: 'action', metadata: 'metadata' },
      filters: ['userId', 'action'],
      free: 'metadata'
    }),
    /** Filters: `source`, `name`, `from`, `to`. */
    systemMetrics: createRowList(sql, {
      table: 'system_metrics',
      fields: { source: 'source', name: 'name', value: 'value', unit: 'unit', labels: 'labels' },
      filters: ['source', 'name'],
      free: 'labels'
    }),
    /** Filters: `service`, `level`, `from`, `to`. */
    errorLogs: createRowList(sql, {
      table: 'error_logs',
      fields: { service: 'service', level: 'level', message: 'message', stack: 'stack', context: 'context' },
      filters: ['service', 'level'],
      free: 'context'
    }),
    /** Filters: `recipient`, `channel`, `from`, `to`. */
    notifications: createRowList(sql, {
      table: 'notifications',
      fields: { recipient: 'recipient', channel: 'channel', title: 'title', message: 'message', metadata: 'metadata' },
      filters: ['recipient', 'channel'],
      free: 'metadata'
    })
  }
}

function createRowList(sql: Sql, { table, fields, filters, free }: RowTable) {
  const members = Object.entries(fields).map(([name, column]) => `'${name}', ${column}`)
  const times = `'timestamp', ${isoText('occurred_at')}, 'receivedAt', ${isoText('received_at')}`

  return createList(sql, {
    table,
    time: 'occurred_at',
    item: `json_build_object('id', id, ${members.join(', ')}, ${times})`,
    bytes: `octet_length(${free}::text)`,
    filters: {
      ...Object.fromEntries(filters.map(name => [name, `${fields[name]} = ?::text`])),
      ...rangeOf('occurred_at')
    }
  })
}
