import { bigint, index, integer, json, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { bytea, time } from './columns.ts'

/** Events that a function published, until they are in Kafka. They come with its effect, in one transaction. */
export const outbox = pgTable(
  'outbox',
  {
    sequence: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    topic: text().notNull(),
    partition: integer().notNull(),
    eventId: uuid('event_id').notNull(),
    key: bytea(),
    value: bytea(),
    headers: json().$type<[name: string, base64: string | null][]>().notNull(),
    timestamp: time('timestamp').notNull(),
    createdAt: time('created_at').notNull().defaultNow(),
    /** Kafka will never take it as it is: set aside, so that what follows can go on. */
    refusedAt: time('refused_at'),
    refusal: text()
  },
  table => [index('outbox_partition').on(table.topic, table.partition, table.sequence)]
)
