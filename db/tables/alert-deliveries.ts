import { sql } from 'drizzle-orm'
import { index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { alertNotices } from './alert-notices.ts'
import { time } from './columns.ts'

/** What became of a notice in each place that it goes to. */
export const alertDeliveries = pgTable(
  'alert_deliveries',
  {
    noticeId: uuid('notice_id')
      .notNull()
      .references(() => alertNotices.id, { onDelete: 'cascade' }),
    /** `log`, `webhook` or `notifications`. */
    sink: text().notNull(),
    state: text({ enum: ['pending', 'delivered', 'given_up'] }).notNull(),
    attempts: integer().notNull().default(0),
    /** Of the last attempt; null before the first. */
    at: time('at')
  },
  table => [
    primaryKey({ columns: [table.noticeId, table.sink] }),
    index('alert_deliveries_pending').on(table.noticeId).where(sql`state = 'pending'`)
  ]
)
