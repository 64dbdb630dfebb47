import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { ReservedSql, Sql } from 'postgres'
import { dbErrors } from './errors.ts'

/** What one attempt of a function writes through. */
export interface AttemptSession {
  readonly tx: Omit<PostgresJsDatabase, '$client'>
  /** Ends it: every later call rejects, prepared and nested objects included, and sends nothing. */
  revoke(): void
  /** The first failure of a statement, whatever the function made of it; undefined when there was none. */
  seen(): unknown
}

type Unsafe = ReservedSql['unsafe']
type Send = (...call: Parameters<Unsafe>) => ReturnType<Unsafe>

interface AttemptSessionOptions {
  readonly client: Sql
  /** Sends a statement of the transaction; throws when its connection is lost. */
  readonly send: Send
  /** Of the transaction; its work is told when the savepoint stands. */
  readonly savepoint: <T>(work: (opening: Promise<unknown>) => Promise<T>, hasEnded: () => boolean) => Promise<T>
  /** Whether the transaction is over. */
  readonly hasEnded: () => boolean
  /** Told of each call that comes when the attempt is over. */
  readonly onLate: () => void
}

/** Builds the session of one attempt: a Drizzle transaction inside a transaction, which can be ended by itself. */
export function createAttemptSession(options: AttemptSessionOptions): AttemptSession {
  const { client, send, savepoint, onLate } = options
  let isRevoked = false
  let failure: unknown
  const hasEnded = () => isRevoked || options.hasEnded()

  function refuseLate() {
    if (!hasEnded()) return
    onLate()
    throw new dbErrors.SMG_DB_TRANSACTION_OVER()
  }
  const nest = async (work: (facade: unknown) => Promise<unknown>) => {
    refuseLate()
    return savepoint(opening => opening.then(() => work(facade)), hasEnded)
  }
  const facade = {
    options: client.options,
    unsafe(...call: Parameters<Send>) {
      refuseLate()
      try {
        const query = send(...call)
        // The driver sends a statement a turn after it is first asked for its result: Drizzle may still shape it.
        query.catch((error: unknown) => {
          failure ??= error
        })
        return query
      } catch (error) {
        failure ??= error
        throw error
      }
    },
    // What Drizzle calls for a transaction inside the transaction.
    savepoint: nest,
    begin: nest
  }
  return {
    tx: drizzle(facade as unknown as Sql) as Omit<PostgresJsDatabase, '$client'>,
    revoke() {
      isRevoked = true
    },
    seen: () => failure
  }
}
