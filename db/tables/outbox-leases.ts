import { integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

/** Who sends the outbox of a partition: one at a time, so that its order holds. */
export const outboxLeases = pgTable(
  'outbox_leases',
  {
    topic: text().notNull(),
    partition: integer().notNull(),
    owner: uuid().notNull(),
    until: time('until').notNull()
  },
  table => [primaryKey({ columns: [table.topic, table.partition] })]
)
