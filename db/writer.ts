import { setTimeout as sleep } from 'node:timers/promises'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import postgres, { type ReservedSql, type Sql } from 'postgres'
import { askBackend, type BackendState } from './ask-backend.ts'
import { connectionOptions } from './client.ts'
import { databaseFault } from './database-fault.ts'
import { dbErrors } from './errors.ts'

type Parameter = string | number | boolean | null
type Rows = readonly Record<string, unknown>[] & { readonly count: number; readonly command: string }

/** One transaction. Every call rejects once it is over. */
export interface WriteTransaction {
  /** Runs one prepared statement. Give JSON as text (`$1::text::json`) and times as text. */
  query(text: string, parameters?: readonly Parameter[]): Promise<Rows>
  /**
   * Runs `work` behind a savepoint, which is released before the next statement or with COMMIT; when `work` rejects, what
   * it wrote is undone.
   */
  savepoint<T>(work: () => Promise<T>): Promise<T>
  /** A Drizzle transaction for one attempt of a function. `onLate` is told of each call that comes when it is over. */
  openDrizzle(onLate?: () => void): AttemptSession
  /**
   * Whether PostgreSQL works on what was sent, or has answered all of it. False when the statement waits for a lock, or
   * never arrived, or its answer was lost, and when nobody can be asked: whoever waits for it waits for the world.
   * Takes two seconds at most, and a connection of its own.
   */
  isAtWork(): Promise<boolean>
  /** Gives the connection up at once, with all that this transaction did: something still runs on it. */
  destroy(): Promise<void>
}

/** What one attempt of a function writes through. */
export interface AttemptSession {
  readonly tx: Omit<PostgresJsDatabase, '$client'>
  /** Ends it: every later call rejects, prepared and nested objects included, and sends nothing. */
  revoke(): void
  /** The first failure of a statement, whatever the function made of it; undefined when there was none. */
  seen(): unknown
}

export interface TransactionLimits {
  /** For a lock; below the time in which another process takes over. */
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
  /** Between two statements: an owner that froze lets its locks go after it. */
  readonly idleTimeoutMs: number
}

/** One connection for one transaction at a time. */
export interface Writer {
  /**
   * Runs `work` in a READ COMMITTED transaction. Rejects with what `work` rejected with, after a rollback; with
   * SMG_DB_CONNECTION_LOST when the connection went away, whatever `work` made of that: during COMMIT nobody knows
   * what became of it; with SMG_DB_ROLLED_BACK when PostgreSQL had aborted the transaction unnoticed.
   */
  transaction<T>(work: (tx: WriteTransaction) => Promise<T>, limits: TransactionLimits): Promise<T>
  close(): Promise<void>
}

interface Session {
  readonly client: Sql
  readonly connection: ReservedSql
  readonly ask: (pid: number) => Promise<BackendState>
  isLost: boolean
  /** A transaction was committed on it. */
  isProven: boolean
}

/** So long it may take until a new connection answered a statement. */
const OPEN_MS = 10_000

/**
 * Builds a writer. It connects with its first transaction, and again after a loss.
 *
 * The driver keeps one connection reserved, and no statement is sent on one that was lost: the driver would put it on
 * a socket that is null, which ends the process (seen with 3.4.9), and its own `begin` does that with its ROLLBACK.
 */
export function createWriter(url: string, { applicationName }: { applicationName: string }): Writer {
  let session: Session | null = null
  let isBusy = false

  async function open(): Promise<Session> {
    const ask = (pid: number) => askBackend(url, { pid, applicationName })
    const opened = { ask, isLost: false, isProven: false }
    const client = postgres(url, {
      ...connectionOptions,
      // A savepoint and the statement behind it go out together. Of what a
      // handler sends at once, three statements are in flight at most, and the others wait in the driver.
      ...({ max_pipeline: 2 } as object),
      max: 1,
      connection: { application_name: applicationName, TimeZone: 'UTC' },
      onclose: () => {
        opened.isLost = true
      }
    })
    // Drizzle turns the driver's parsing of times off; done before the first statement, all of them see the same.
    drizzle(client)
    const timer = setTimeout(() => void client.end({ timeout: 0 }), OPEN_MS)
    try {
      // A statement first: without the fetching of types, a reservation alone never comes back (postgres.js 3.4.9).
      await client.unsafe('SELECT 1')
      const connection = await client.reserve()
      return Object.assign(opened, { client, connection })
    } catch (error) {
      await client.end({ timeout: 0 })
      if (error instanceof postgres.PostgresError) throw error
      throw Object.assign(new dbErrors.SMG_DB_UNAVAILABLE((error as Error).message), { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  async function discard(lost: Session): Promise<void> {
    if (session === lost) session = null
    lost.isLost = true
    await lost.client.end({ timeout: 0 })
  }

  return {
    async transaction(work, limits) {
      if (isBusy) throw new dbErrors.SMG_DB_BUSY()
      isBusy = true
      try {
        if (session?.isLost) await discard(session)
        session ??= await open()
        return await runTransaction(session, work, limits, discard)
      } finally {
        isBusy = false
      }
    },
    async close() {
      if (session) await discard(session)
    }
  }
}

async function runTransaction<T>(
  session: Session,
  work: (tx: WriteTransaction) => Promise<T>,
  limits: TransactionLimits,
  discard: (session: Session) => Promise<void>
): Promise<T> {
  const transaction = createTransaction(session, () => discard(session), limits.statementTimeoutMs + GRACE_MS)
  let isCommitting = false

  try {
    await transaction.begin(limits)
    const result = await work(transaction.tx)
    transaction.end()
    isCommitting = true
    const { command } = await transaction.run('COMMIT')
    // A COMMIT in a transaction that was aborted is answered with ROLLBACK, and with no error.
    if (command !== 'COMMIT') throw new dbErrors.SMG_DB_ROLLED_BACK(command)
    session.isProven = true
    return result
  } catch (error) {
    transaction.end()
    // Asked before anything else is sent. When `work` gave the connection up itself, its reason is what counts.
    const isLost = session.isLost && !transaction.isDestroyed()
    const isStale = session.isProven && isStalePlan(error)
    const isClean = !session.isLost && !isStale && (await rollBack(transaction.run))
    if (!isClean) await discard(session)

    if (isStale) throw toLost('on purpose: its prepared statements are out of date', error)
    if (isLost && !(error instanceof postgres.PostgresError))
      throw toLost(isCommitting ? 'during COMMIT' : 'in a transaction', error)
    throw error
  }
}

// A migration or a pooler came in between. A fresh connection helps, once: if that one says the same, it is our fault.
function isStalePlan(error: unknown): boolean {
  const failed = toPostgresError(error)
  return failed !== null && (failed.code === '26000' || failed.routine === 'RevalidateCachedQuery')
}

// Drizzle wraps what the driver rejects with.
function toPostgresError(error: unknown): postgres.PostgresError | null {
  if (error instanceof postgres.PostgresError) return error
  const cause = error instanceof Error ? error.cause : null
  return cause instanceof postgres.PostgresError ? cause : null
}

function toLost(when: string, cause: unknown): Error {
  return Object.assign(new dbErrors.SMG_DB_CONNECTION_LOST(when), { cause })
}

async function rollBack(run: (text: string) => Promise<unknown>): Promise<boolean> {
  try {
    await run('ROLLBACK')
    return true
  } catch {
    // The connection is given up with whatever it has open, which rolls back as well.
    return false
  }
}

/** So much longer than PostgreSQL gives a statement its answer may take; then the connection leads nowhere, and TCP tells it late. */
const GRACE_MS = 2_000
// A statement whose connection was given up ends by then, and with it its locks.
const CHECK_CLIENT_MS = 500
// An answer that was sent before the server was asked on another connection is here by then.
const ARRIVE_MS = 200

function toBegin({ lockTimeoutMs, statementTimeoutMs, idleTimeoutMs }: TransactionLimits): string {
  // One round trip. SET LOCAL, so that a pooler may hand the connection on; constraints at once, so that none fails in COMMIT.
  return `BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = ${lockTimeoutMs};
    SET LOCAL statement_timeout = ${statementTimeoutMs};
    SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs};
    SET LOCAL tcp_user_timeout = ${idleTimeoutMs};
    SET LOCAL client_connection_check_interval = ${CHECK_CLIENT_MS};
    SET CONSTRAINTS ALL IMMEDIATE;
    SELECT pg_backend_pid() AS pid`
}

function createTransaction(session: Session, discard: () => Promise<void>, answerMs: number) {
  const { client, connection } = session
  let isOver = false
  let isDestroyed = false
  let savepoints = 0
  let inFlight = 0
  let answers = 0
  let failures = 0
  /** Asked for in each transaction: a pooler gives each another backend. */
  let pid = 0
  /** A savepoint whose work is done: it is released on the way to the next statement, which saves a round trip. */
  let done: string | null = null

  function send(...call: Parameters<typeof connection.unsafe>) {
    if (session.isLost) throw new dbErrors.SMG_DB_CONNECTION_LOST('in a transaction')
    const query = connection.unsafe(...call)
    // First of all who hear of it: a reset is told to the query before `onclose`, and what is sent in between would
    // never be answered (postgres.js 3.4.9).
    const timer = setTimeout(() => void discard(), answerMs)
    inFlight += 1
    query.then(
      () => {
        clearTimeout(timer)
        inFlight -= 1
        answers += 1
      },
      (error: unknown) => {
        clearTimeout(timer)
        inFlight -= 1
        answers += 1
        failures += 1
        if (endsConnection(error)) session.isLost = true
      }
    )
    return query
  }

  async function run(text: string): Promise<Rows> {
    const result = await send(text)
    // Several statements in one text give a list of results; the last is the one that counts.
    return (Array.isArray(result[0]) ? result.at(-1) : result) as unknown as Rows
  }

  async function begin(limits: TransactionLimits): Promise<void> {
    const [row] = await run(toBegin(limits))
    pid = Number(row?.pid)
  }

  async function query(text: string, parameters: readonly Parameter[] = []): Promise<Rows> {
    if (isOver) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
    // What is written in a subtransaction that only waits for its end would make a multixact of every lock taken before.
    if (done !== null) await run(takeRelease())
    return (await send(text, [...parameters], { prepare: true })) as unknown as Rows
  }

  /** Empty when nothing is to be released. */
  function takeRelease(): string {
    const text = done === null ? '' : `RELEASE SAVEPOINT ${done}; `
    done = null
    return text
  }

  // Once its owner is over, it sends nothing more: the names of savepoints mean something else by then.
  async function savepoint<T>(work: (opening: Promise<unknown>) => Promise<T>, hasEnded = () => isOver): Promise<T> {
    if (hasEnded()) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
    savepoints += 1
    const name = `s${savepoints}`
    // The first statement of `work` goes out right behind it: no round trip is spent on the savepoint alone.
    const opening = run(`${takeRelease()}SAVEPOINT ${name}`)
    const failuresBefore = failures
    try {
      const [result] = await Promise.all([work(opening), opening])
      if (hasEnded()) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
      // Whatever was done inside it is released with it. A failure that `work` swallowed, or does not know of yet, has
      // aborted the transaction: that has to show here.
      done = name
      if (failures > failuresBefore || inFlight > 0) await run(takeRelease())
      return result
    } catch (error) {
      done = null
      const isOpen = await opening.then(
        () => true,
        () => false
      )
      if (isOpen && !session.isLost && !hasEnded())
        await run(`ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`)
      throw error
    }
  }

  function openDrizzle(onLate: () => void = () => undefined): AttemptSession {
    let isRevoked = false
    let failure: unknown
    const hasEnded = () => isRevoked || isOver
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
      unsafe(...call: Parameters<typeof connection.unsafe>) {
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

  async function isAtWork(): Promise<boolean> {
    if (inFlight === 0) return true
    const before = answers
    const state = await session.ask(pid)
    if (state !== 'idle') return state === 'working'
    await sleep(ARRIVE_MS)
    return answers > before && !session.isLost
  }

  async function destroy(): Promise<void> {
    isDestroyed = true
    await discard()
  }

  const tx: WriteTransaction = { query, savepoint: work => savepoint(work), openDrizzle, isAtWork, destroy }
  return {
    tx,
    begin,
    run,
    isDestroyed: () => isDestroyed,
    end() {
      isOver = true
    }
  }
}

function endsConnection(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return error.severity === 'FATAL' || error.severity === 'PANIC'
  return databaseFault(error) === 'world'
}
