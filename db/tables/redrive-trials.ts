import { integer, pgTable, uuid } from 'drizzle-orm/pg-core'

/**
 * Dead letters whose redrive has begun and has not ended: a process that ends leaves them here. Not in `dead_letters`,
 * because whoever redrives holds the lock of that row.
 */
export const redriveTrials = pgTable('redrive_trials', {
  deadLetterId: uuid('dead_letter_id').primaryKey(),
  /** How often it was begun alone; 0 when it was one of many. */
  starts: integer().notNull()
})
