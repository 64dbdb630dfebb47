import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { askBackend } from './ask-backend.ts'
import { connectionOptions } from './client.ts'
import { sqlState } from './database-fault.ts'
import { endFrozenCopies } from './end-frozen.ts'
import { dbErrors } from './errors.ts'
import { createSocketOpener } from './open-socket.ts'
import {
  AHEAD,
  createTransaction,
  type Session,
  type TransactionLimits,
  toPostgresError,
  type WriteTransaction
} from './write-transaction.ts'

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

/** So long it may take until a new connection answered a statement. */
const OPEN_MS = 10_000
const LOCK_TIMEOUT = '55P03'

export interface WriterOptions {
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** Told the pids of backends that were ended, because their processes froze with locks that a transaction waited for. */
  readonly onFrozenEnded?: (pids: readonly number[]) => void
}

/**
 * Builds a writer. It connects with its first transaction, and again after a loss.
 *
 * The driver keeps one connection reserved, and no statement is sent on one that was lost: the driver would put it on
 * a socket that is null, which ends the process (seen with 3.4.9), and its own `begin` does that with its ROLLBACK.
 */
export function createWriter(url: string, options: WriterOptions): Writer {
  const { applicationName, onFrozenEnded = () => undefined } = options
  let session: Session | null = null
  let isBusy = false

  async function open(): Promise<Session> {
    const ask = (pid: number) => askBackend(url, { pid, applicationName })
    let fail: (error: unknown) => void = () => undefined
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    // Nobody waits for it any more once there is a connection.
    failed.catch(() => undefined)
    const sockets = createSocketOpener(fail)
    const opened = { ask, unanswered: new Set<PromiseLike<unknown>>(), isLost: false, isProven: false }
    const client = postgres(url, {
      ...connectionOptions,
      // Not in the driver's types. A savepoint and the statement behind it go out together; of what a handler sends at
      // once, some are in flight, and the others wait in the driver.
      ...({ max_pipeline: 2 * AHEAD, socket: sockets.open } as object),
      max: 1,
      connection: { application_name: applicationName, TimeZone: 'UTC' },
      onclose: () => {
        opened.isLost = true
        rejectUnanswered(opened)
      }
    })
    // Drizzle turns the driver's parsing of times off; done before the first statement, all of them see the same.
    drizzle(client)
    const end = () => {
      sockets.close()
      return client.end({ timeout: 0 })
    }
    const timer = setTimeout(() => void end(), OPEN_MS)
    try {
      // A statement first: without the fetching of types, a reservation alone never comes back (postgres.js 3.4.9).
      await Promise.race([client.unsafe('SELECT 1'), failed])
      const connection = await client.reserve()
      return Object.assign(opened, { client, connection, end })
    } catch (error) {
      await end()
      if (error instanceof postgres.PostgresError) throw error
      throw Object.assign(new dbErrors.SMG_DB_UNAVAILABLE((error as Error).message), { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  async function discard(lost: Session): Promise<void> {
    if (session === lost) session = null
    lost.isLost = true
    const ended = lost.end()
    rejectUnanswered(lost)
    await ended
  }

  return {
    async transaction(work, limits) {
      if (isBusy) throw new dbErrors.SMG_DB_BUSY()
      isBusy = true
      try {
        if (session?.isLost) await discard(session)
        session ??= await open()
        return await runTransaction(session, work, limits, { discard, onFrozenEnded })
      } finally {
        isBusy = false
      }
    },
    async close() {
      if (session) await discard(session)
    }
  }
}

// What waits in the driver for its turn is forgotten when the connection goes: nobody would ever hear of it.
function rejectUnanswered({ unanswered }: Pick<Session, 'unanswered'>) {
  const error = new dbErrors.SMG_DB_CONNECTION_LOST('in a transaction')
  for (const query of unanswered) (query as unknown as { reject(reason: Error): void }).reject(error)
}

interface Ends extends Pick<Required<WriterOptions>, 'onFrozenEnded'> {
  readonly discard: (session: Session) => Promise<void>
}

async function runTransaction<T>(
  session: Session,
  work: (tx: WriteTransaction) => Promise<T>,
  limits: TransactionLimits,
  { discard, onFrozenEnded }: Ends
): Promise<T> {
  const transaction = createTransaction(session, () => discard(session), limits)
  let isCommitting = false

  try {
    await transaction.begin()
    const result = await work(transaction.tx)
    transaction.end()
    isCommitting = true
    const command = await transaction.commit()
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
    else if (sqlState(error) === LOCK_TIMEOUT) {
      const ended = await endFrozenCopies(transaction.run, limits.idleTimeoutMs)
      if (ended.length > 0) onFrozenEnded(ended)
    }

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
