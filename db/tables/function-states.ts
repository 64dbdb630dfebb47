import { json, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

/** What a function is doing in its group: set by runners, and by operators who pause it. */
export const functionStates = pgTable(
  'function_states',
  {
    groupId: text('group_id').notNull(),
    topic: text().notNull(),
    /** `stopped` is our fault or a flood: `reason` says what to do. */
    state: text({ enum: ['running', 'paused', 'stopped'] })
      .notNull()
      .default('running'),
    reason: text(),
    details: jsonb().notNull().default({}),
    /**
     * What became of its last 1,000 records, in runs: `[[reason or null, count], …]`, and how many of all did not die
     * until then; null while none died.
     */
    recent: json().$type<{ counted: number; runs: readonly (readonly [reason: string | null, count: number])[] }>(),
    since: time('since').notNull().defaultNow()
  },
  table => [primaryKey({ columns: [table.groupId, table.topic] })]
)
