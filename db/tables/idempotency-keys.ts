import { index, integer, json, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { bytea, time } from './columns.ts'

/** A record as it was sent first, so that a repeat sends the same. */
export interface PlannedRecord {
  readonly id: string
  readonly partition: number
}

/** What was asked for under an `Idempotency-Key`, and how it was answered. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** Who asked; empty without security. */
    subject: text().notNull(),
    route: text().notNull(),
    key: text().notNull(),
    /** SHA-256 of the body. */
    bodyHash: bytea('body_hash').notNull(),
    /** One an event, in their order; written before anything is produced. */
    records: json().$type<readonly PlannedRecord[]>().notNull(),
    /** Of all its records. */
    timestamp: time('timestamp').notNull(),
    /** Null until it is answered, and after an answer that nobody can rely on. */
    status: integer(),
    answer: json(),
    /** When the last one began to produce it; by the clock of the database. */
    startedAt: time('started_at').notNull().defaultNow(),
    createdAt: time('created_at').notNull().defaultNow()
  },
  table => [
    primaryKey({ columns: [table.subject, table.route, table.key] }),
    index('idempotency_keys_created').on(table.createdAt)
  ]
)
