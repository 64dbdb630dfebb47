import { sql } from 'drizzle-orm'
import { bigint, index, integer, json, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core'
import { bytea, time } from './columns.ts'

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
    /** What an operator put in place of `value` for its redrive; null when nobody did. */
    editedValue: bytea('edited_value'),
    /** Where an imported one comes from; null for our own. */
    origin: json(),
    createdAt: time('created_at').notNull().defaultNow(),
    /** Who asked for the last redrive or the discard; null without security. */
    requestedBy: text('requested_by'),
    resolvedAt: time('resolved_at')
  },
  table => [
    // The event first: the write path looks for events, and no other index is to seem as good to a planner without statistics.
    unique('dead_letters_event').on(table.eventId, table.groupId, table.topic),
    index('dead_letters_timestamp').on(table.timestamp, table.id),
    index('dead_letters_topic').on(table.topic, table.timestamp, table.id),
    // What waits for runners, and what else of its key is not settled. A key may be longer than an index takes.
    index('dead_letters_redriving').on(table.groupId, table.partition, table.offset).where(sql`state = 'redriving'`),
    index('dead_letters_key')
      .on(table.groupId, sql`sha256(key)`, table.partition, table.offset)
      .where(sql`state IN ('dead', 'redriving') AND key IS NOT NULL`),
    // What is neither resolved nor discarded is counted again and again.
    index('dead_letters_waiting').on(table.topic, table.createdAt).where(sql`state IN ('dead', 'redriving')`),
    index('dead_letters_resolved').on(table.resolvedAt).where(sql`resolved_at IS NOT NULL`)
  ]
)
