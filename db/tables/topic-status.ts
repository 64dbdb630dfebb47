import { sql } from 'drizzle-orm'
import { bigint, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

const offset = (name: string) => bigint(name, { mode: 'bigint' })
const counter = (name: string) => offset(name).notNull().default(sql`0`)

/** The position of every group in every partition: what is handled next. PostgreSQL owns it, Kafka's commit is a hint. */
export const topicStatus = pgTable(
  'topic_status',
  {
    groupId: text('group_id').notNull(),
    topic: text().notNull(),
    partition: integer().notNull(),
    /** Kafka's id of the topic: another one under the same name is another log. Null where the broker does not tell. */
    topicId: uuid('topic_id'),
    nextOffset: offset('next_offset').notNull(),
    /** Events whose insert into `messages` was new. */
    messageCount: counter('message_count'),
    /** Rows of the function's table. */
    rowCount: counter('row_count'),
    deadLetterCount: counter('dead_letter_count'),
    /** Copies of an event that had its effect, or its dead letter, already. */
    duplicateCount: counter('duplicate_count'),
    /** Records that retention removed before they were handled. */
    lostCount: counter('lost_count'),
    lastMessageAt: time('last_message_at'),
    /** The record that is being tried alone after an unclean end, and how often it was. */
    tryingOffset: offset('trying_offset'),
    tryingCount: integer('trying_count').notNull().default(0),
    /** How often operators moved the position: a runner that sees another number than before reads it anew. */
    moves: integer().notNull().default(0),
    updatedAt: time('updated_at').notNull().defaultNow()
  },
  table => [primaryKey({ columns: [table.groupId, table.topic, table.partition] })]
)
