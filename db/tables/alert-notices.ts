import { doublePrecision, index, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

/** What was told of alerts: a row when one fires, and one when it clears. */
export const alertNotices = pgTable(
  'alert_notices',
  {
    /** The same whichever gateway makes it. */
    id: uuid().primaryKey(),
    name: text().notNull(),
    severity: text({ enum: ['warning', 'critical'] }).notNull(),
    subject: text(),
    event: text({ enum: ['fired', 'cleared'] }).notNull(),
    value: doublePrecision(),
    threshold: doublePrecision().notNull(),
    at: time('at').notNull(),
    episode: time('episode').notNull(),
    summary: text().notNull()
  },
  table => [index('alert_notices_at').on(table.at, table.id)]
)
