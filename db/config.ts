import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { dbErrors } from './errors.ts'

/** The variable of the link to PostgreSQL, for the rooms that open one. */
export const databaseSettings = {
  DATABASE_URL: Type.String({
    pattern: '^postgres(ql)?://',
    allowed: 'postgres://user:password@host:port/database',
    secret: true
  })
}

/**
 * Reads the one variable of `npm run migrate`.
 *
 * @throws SMG_DB_BAD_SETTING
 */
export function readDatabaseUrl(environment: NodeJS.ProcessEnv): string {
  const url = environment.DATABASE_URL ?? ''
  if (!Value.Check(databaseSettings.DATABASE_URL, url)) {
    throw new dbErrors.SMG_DB_BAD_SETTING(
      url ? 'set to something else' : 'not set',
      databaseSettings.DATABASE_URL.allowed
    )
  }
  return url
}
