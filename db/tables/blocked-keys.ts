import { pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { bytea, time } from './columns.ts'

/** Keys of functions with `ordering: 'key'` whose later records are parked behind a dead letter. */
export const blockedKeys = pgTable(
  'blocked_keys',
  {
    groupId: text('group_id').notNull(),
    /** SHA-256 of the key, which may be longer than an index takes. */
    keyHash: bytea('key_hash').notNull(),
    createdAt: time('created_at').notNull().defaultNow()
  },
  table => [primaryKey({ columns: [table.groupId, table.keyHash] })]
)
