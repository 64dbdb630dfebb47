import { index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { receivedAt, time } from './columns.ts'

/** Notices to people, a row an event of `notifications`. */
export const notifications = pgTable(
  'notifications',
  {
    id: uuid().primaryKey(),
    recipient: text().notNull(),
    channel: text({ enum: ['email', 'sms', 'push', 'webhook'] }).notNull(),
    title: text(),
    message: text().notNull(),
    metadata: jsonb().notNull(),
    occurredAt: time('occurred_at').notNull(),
    receivedAt: receivedAt()
  },
  table => [
    index('notifications_recipient').on(table.recipient, table.occurredAt, table.id),
    index('notifications_occurred').on(table.occurredAt, table.id)
  ]
)
