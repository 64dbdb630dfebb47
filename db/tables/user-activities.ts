import { index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { receivedAt, time } from './columns.ts'

/** What users did, a row an event of `user-activities`. */
export const userActivities = pgTable(
  'user_activities',
  {
    id: uuid().primaryKey(),
    userId: text('user_id').notNull(),
    action: text().notNull(),
    metadata: jsonb().notNull(),
    occurredAt: time('occurred_at').notNull(),
    receivedAt: receivedAt()
  },
  table => [
    index('user_activities_user').on(table.userId, table.occurredAt, table.id),
    index('user_activities_occurred').on(table.occurredAt, table.id)
  ]
)
