import { sql } from 'drizzle-orm'
import { bigint, customType, index, integer, json, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** Records that their function could not settle, kept whole with the reason. */
export const deadLetters = pgTable(
  'dead_letters',
  {
    /** In time order. */
    id: uuid().primaryKey(),
    groupId: text('group_id').notNull(),
    topic: text().notNull(),
    eventId: uuid('event_id').notNull(),
    partition: integer().notNull(),
    offset: bigint({ mode: 'bigint' }).notNull(),
    /** Byte for byte, as are `value` and the values of `headers`; null is a null key or a tombstone. */
    key: bytea(),
    value: bytea(),
    /** `[[name, base64 or null], …]` in the order of the record. */
    headers: json().$type<[name: string, base64: string | null][]>().notNull(),
    timestamp: time('timestamp').notNull(),
    stage: text({ enum: ['decode', 'validate', 'handle', 'persist'] }).notNull(),
    disposition: text().notNull(),
    errorName: text('error_name').notNull(),
    errorMessage: text('error_message').notNull(),
    errorStack: text('error_stack'),
    attempts: integer().notNull(),
    state: text({ enum: ['dead', 'redriving', 'resolved', 'discarded'] })
      .notNull()
      .default('dead'),
    /** Where copies of the same event were met: `[[partition, offset], …]`. */
    copies: json().$type<[partition: number, offset: string][]>().notNull().default(sql`'[]'::json`),
    createdAt: time('created_at').notNull().defaultNow(),
    resolvedAt: time('resolved_at')
  },
  table => [
    unique('dead_letters_event').on(table.groupId, table.topic, table.eventId),
    index('dead_letters_timestamp').on(table.timestamp.desc(), table.id.desc()),
    index('dead_letters_topic').on(table.topic, table.timestamp.desc(), table.id.desc())
  ]
)
