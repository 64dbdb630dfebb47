import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import postgres, { type Options, type Sql } from 'postgres'
import { sendInTurn } from './send-in-turn.ts'

/** A pool of connections with Drizzle on it. */
export interface Database {
  readonly db: PostgresJsDatabase
  /** For statements by hand. Times come back as PostgreSQL's text: Drizzle turns the parsing of the shared client off. */
  readonly sql: Sql
  /** Ends the connections; a query in flight has `timeoutMs` to finish. */
  close(options?: { timeoutMs?: number }): Promise<void>
}

export interface DatabaseOptions {
  /** Connections at most; twice the cores is plenty. */
  readonly max: number
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** For every statement of these connections; 0 is none. */
  readonly statementTimeoutMs?: number
}

/** Opens a pool; the first query connects. Every query of it is one transaction of its own. */
export function createDatabase(
  url: string,
  { max, applicationName, statementTimeoutMs = 0 }: DatabaseOptions
): Database {
  const client = postgres(url, {
    ...connectionOptions,
    max,
    connection: { application_name: applicationName, statement_timeout: statementTimeoutMs, TimeZone: 'UTC' }
  })
  const sql = sendInTurn(client)
  return {
    db: drizzle(sql),
    sql,
    close: ({ timeoutMs = 5_000 } = {}) => sql.end({ timeout: timeoutMs / 1000 })
  }
}

/** What every connection of the system has in common. */
export const connectionOptions = {
  // With more than one query in flight a connection, the driver's queue grows for ever (porsager/postgres#747).
  // The cast: its types do not know the option.
  ...({ max_pipeline: 1 } as object),
  connect_timeout: 5,
  keep_alive: 15,
  // Idle connections stay: a restart of PostgreSQL is noticed by the query that meets it.
  idle_timeout: undefined,
  max_lifetime: null,
  backoff: (retries: number) => Math.min(0.05 * 2 ** Math.min(retries, 10), 1),
  fetch_types: false,
  onnotice: () => undefined
} satisfies Options<Record<string, never>>
