import { databaseFault } from '../db/database-fault.ts'

/** Says who is away, of a failure that passes by itself; null for any other. */
export function findAway(error: unknown): string | null {
  if (databaseFault(error) === 'world') return 'PostgreSQL cannot be written to'
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown }
  // Positions are read anew with the bounds of the log.
  return String(code).startsWith('SMG_KAFKA_') && statusCode === 503 ? 'Kafka cannot be asked' : null
}
