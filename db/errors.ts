import { createError } from '@fastify/error'

/** What goes wrong with PostgreSQL, beside its own SQLSTATEs. */
export const dbErrors = {
  SMG_DB_BAD_SETTING: createError('SMG_DB_BAD_SETTING', 'DATABASE_URL is %s; it may be %s', 500),
  SMG_DB_UNAVAILABLE: createError('SMG_DB_UNAVAILABLE', 'PostgreSQL does not answer: %s', 503),
  SMG_DB_TOO_OLD: createError('SMG_DB_TOO_OLD', 'PostgreSQL 15 or later is needed; this is %s', 500),
  SMG_DB_NOT_MIGRATED: createError(
    'SMG_DB_NOT_MIGRATED',
    'The database has no tables of this system: run `npm run migrate`',
    500
  ),
  SMG_DB_BUSY: createError('SMG_DB_BUSY', 'This connection has a transaction open already', 500),
  SMG_DB_TRANSACTION_OVER: createError(
    'SMG_DB_TRANSACTION_OVER',
    'This transaction is over: nothing more can be written in it',
    500
  ),
  SMG_DB_ROLLED_BACK: createError(
    'SMG_DB_ROLLED_BACK',
    'COMMIT was answered with %s: a statement before it had failed',
    500
  ),
  SMG_DB_CONNECTION_LOST: createError('SMG_DB_CONNECTION_LOST', 'The connection was lost %s', 503)
} as const
