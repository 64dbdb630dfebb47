import postgres from 'postgres'

/** Whose fault a failed query is: the record's (bad data), the world's (it passes by itself), or ours (someone must act). */
export type Fault = 'record' | 'world' | 'ours'

// SQLSTATE classes (https://www.postgresql.org/docs/current/errcodes-appendix.html); first match counts.
const FAULTS: readonly (readonly [codes: RegExp, fault: Fault])[] = [
  [/^(25006|25P03|25P04)/, 'world'],
  [/^(21|22|23|54|P0)/, 'record'],
  [/^(08|40|53|55P03|57|58)/, 'world'],
  [/^(0A|25|26|28|3D|3F|42|XX)/, 'ours']
]

// Somebody may have parted them by day; a partition says the name of its table in front of its own.
const OWN_TABLES = /^(messages|dead_letters|outbox|topic_status|blocked_keys|idempotency_keys)/

// What the driver and the socket say when nobody answers.
const LINK = /^(CONNECT|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST|ENET|SMG_DB_CONNECTION_LOST|SMG_DB_UNAVAILABLE)/

/**
 * Says whose fault a failed query is; null when `thrown` does not come from the database. A function's own
 * `ECONNREFUSED` does not: codes of the link count only on errors that the driver made or marked with its query.
 */
export function databaseFault(thrown: unknown): Fault | null {
  // Ten links at most: a function may throw an error that is its own cause.
  for (let link = thrown, depth = 0; link instanceof Error && depth < 10; link = link.cause, depth += 1) {
    if (link instanceof postgres.PostgresError) return lacksPartition(link) ? 'ours' : faultOf(link.code)
    const code = codeOf(link)
    // A function that writes through the `tx` of an attempt that is over: its own mistake.
    if (code === 'SMG_DB_TRANSACTION_OVER') return null
    if (code.startsWith('SMG_DB_') || code.startsWith('CONNECT') || ('query' in link && LINK.test(code))) {
      return LINK.test(code) ? 'world' : 'ours'
    }
  }
  return null
}

/** Whether PostgreSQL cancelled a query: the world's doing, until the same record alone meets it again and again. */
export function isCancelled(thrown: unknown): boolean {
  return sqlState(thrown) === '57014'
}

/** Whether it is an error of PostgreSQL that nobody listed: it is taken for the record's, and worth a look. */
export function isUnclassified(thrown: unknown): boolean {
  try {
    const code = sqlState(thrown)
    return code !== null && !FAULTS.some(([codes]) => codes.test(code))
  } catch {
    // What a function throws may defy a look at it.
    return false
  }
}

/** The SQLSTATE of a failed query; null when there is none. */
export function sqlState(thrown: unknown): string | null {
  return findPostgresError(thrown)?.code ?? null
}

/** What PostgreSQL adds to its refusal, such as the row that it is about; empty when it adds nothing. */
export function detailOf(thrown: unknown): string {
  return findPostgresError(thrown)?.detail ?? ''
}

/** Whether a COPY met an event that the inbox has already. */
export function isOfEvent(thrown: unknown): boolean {
  const { code, table_name: table = '' } = findPostgresError(thrown) ?? {}
  // A partition says its own name, which begins with that of its table.
  return code === '23505' && table.startsWith('messages')
}

/** The line of a COPY that a failed one is about, counted from 1; null when it tells none. */
export function copyLineOf(thrown: unknown): number | null {
  const [, line] = /^COPY .*?, line (\d+)/m.exec(findPostgresError(thrown)?.where ?? '') ?? []
  return line === undefined ? null : Number(line)
}

function findPostgresError(thrown: unknown): postgres.PostgresError | null {
  for (let link = thrown, depth = 0; link instanceof Error && depth < 10; link = link.cause, depth += 1) {
    if (link instanceof postgres.PostgresError) return link
  }
  return null
}

// Of a table of our own: no record can be blamed for a day that nobody made.
function lacksPartition({ routine, table_name: table = '' }: postgres.PostgresError): boolean {
  return routine === 'ExecFindPartition' && OWN_TABLES.test(table)
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

function faultOf(code: string): Fault {
  return FAULTS.find(([codes]) => codes.test(code))?.[1] ?? 'record'
}
