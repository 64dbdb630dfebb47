import { index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

/** What operators did: a row an action, written in the transaction of its effect. Nothing deletes them. */
export const audit = pgTable(
  'audit',
  {
    /** Of the action. Few rows: what orders them is `at`. */
    id: uuid().primaryKey(),
    at: time('at').notNull().defaultNow(),
    /** The subject of the token, null without security; `cli:` and the name of the account for a command. */
    operator: text(),
    action: text({ enum: ['pause', 'resume', 'position', 'redrive', 'redrive_many', 'discard', 'import'] }).notNull(),
    /** Null for an action on several topics. */
    topic: text(),
    details: jsonb().notNull(),
    /** Of the request, as the log has it; null for a command. */
    requestId: text('request_id')
  },
  table => [index('audit_at').on(table.at, table.id)]
)
