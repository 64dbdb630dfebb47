import { index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { receivedAt, time } from './columns.ts'

/** Failures of services, a row an event of `error-logs`. */
export const errorLogs = pgTable(
  'error_logs',
  {
    id: uuid().primaryKey(),
    service: text().notNull(),
    level: text({ enum: ['warn', 'error', 'fatal'] }).notNull(),
    message: text().notNull(),
    stack: text(),
    context: jsonb().notNull(),
    occurredAt: time('occurred_at').notNull(),
    receivedAt: receivedAt()
  },
  table => [
    index('error_logs_service').on(table.service, table.occurredAt, table.id),
    index('error_logs_occurred').on(table.occurredAt, table.id)
  ]
)
