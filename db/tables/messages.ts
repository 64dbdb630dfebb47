import { bigint, index, integer, json, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { receivedAt, time } from './columns.ts'

/** The inbox: every event that had its effect, as it was sent. Ids are in time order. */
export const messages = pgTable(
  'messages',
  {
    topic: text().notNull(),
    id: uuid().notNull(),
    partition: integer().notNull(),
    offset: bigint({ mode: 'bigint' }).notNull(),
    /** Null without a key; `base64:` and its bytes when it is no UTF-8 text. */
    key: text(),
    /** `json`, not `jsonb`: it keeps the text as it was sent, and nothing searches inside it. */
    value: json().notNull(),
    /** Names to text, or to a list of texts where a name occurred more than once. */
    headers: json().notNull(),
    /** When the producer or the broker stamped it. */
    timestamp: time('timestamp').notNull(),
    receivedAt: receivedAt()
  },
  table => [
    primaryKey({ columns: [table.topic, table.id] }),
    index('messages_timestamp').on(table.timestamp, table.id),
    index('messages_topic_timestamp').on(table.topic, table.timestamp, table.id)
  ]
)
