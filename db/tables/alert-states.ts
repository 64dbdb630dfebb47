import { doublePrecision, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

/** What the alert rules say now, a row a rule and subject. One gateway writes it, all of them show it. */
export const alertStates = pgTable(
  'alert_states',
  {
    name: text().notNull(),
    /** A topic, or a broker; empty where the rule has only one. */
    subject: text().notNull(),
    state: text({ enum: ['ok', 'pending', 'firing'] }).notNull(),
    /** Null while it is not known. */
    value: doublePrecision(),
    /** When the condition began to hold; null while it does not. */
    since: time('since'),
    /** Names the notices of the last time that it fired; null before the first. */
    episode: time('episode')
  },
  table => [primaryKey({ columns: [table.name, table.subject] })]
)
