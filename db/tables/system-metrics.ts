import { doublePrecision, index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { receivedAt, time } from './columns.ts'

/** Measurements of machines and programs, a row an event of `system-metrics`. */
export const systemMetrics = pgTable(
  'system_metrics',
  {
    id: uuid().primaryKey(),
    source: text().notNull(),
    name: text().notNull(),
    value: doublePrecision().notNull(),
    unit: text(),
    labels: jsonb().notNull(),
    occurredAt: time('occurred_at').notNull(),
    receivedAt: receivedAt()
  },
  table => [
    index('system_metrics_name').on(table.source, table.name, table.occurredAt, table.id),
    index('system_metrics_occurred').on(table.occurredAt, table.id)
  ]
)
