import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type ReservedSql, type Sql } from 'postgres'
import type { BackendState } from './ask-backend.ts'
import { type AttemptSession, createAttemptSession } from './attempt-session.ts'
import { copyIn } from './copy-in.ts'
import { databaseFault } from './database-fault.ts'
import { dbErrors } from './errors.ts'

type Parameter = string | number | boolean | null
type Rows = readonly Record<string, unknown>[] & { readonly count: number; readonly command: string }

/** One transaction. Every call rejects once it is over. */
export interface WriteTransaction {
  /** Runs one prepared statement. Give JSON as text (`$1::text::json`) and times as text. */
  query(text: string, parameters?: readonly Parameter[]): Promise<Rows>
  /** Runs a `COPY … FROM STDIN` of these lines, in COPY's text format, and gives how many rows it wrote. */
  copy(text: string, lines: string): Promise<number>
  /**
   * Runs `work` behind a savepoint, which is released before the next statement or with COMMIT; when `work` rejects, what
   * it wrote is undone.
   */
  savepoint<T>(work: () => Promise<T>): Promise<T>
  /**
   * Runs works behind a savepoint each, sent together: every one of them sends its one statement before it waits. What
   * PostgreSQL refuses is undone, and all that comes behind it.
   *
   * @returns how many were done, and what the next one was refused with
   */
  savepoints(works: readonly (() => Promise<unknown>)[]): Promise<{ done: number; refusal?: unknown }>
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

export interface TransactionLimits {
  /** For a lock; below the time in which another process takes over. */
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
  /** Between two statements: an owner that froze lets its locks go after it. */
  readonly idleTimeoutMs: number
}

/** A connection, reserved for one transaction at a time. */
export interface Session {
  readonly client: Sql
  readonly connection: ReservedSql
  /** Ends the client with its connection, and what it is still opening. */
  readonly end: () => Promise<void>
  readonly ask: (pid: number) => Promise<BackendState>
  /** Statements without an answer. When the connection is lost the driver rejects those that it sent, and no other. */
  readonly unanswered: Set<PromiseLike<unknown>>
  isLost: boolean
  /** A transaction was committed on it. */
  isProven: boolean
}

/** So much longer than PostgreSQL gives a statement its answer may take; then the connection leads nowhere, and TCP tells it late. */
const GRACE_MS = 2_000
// A statement whose connection was given up ends by then, and with it its locks.
const CHECK_CLIENT_MS = 500
// An answer that was sent before the server was asked on another connection is here by then.
const ARRIVE_MS = 200
/** Works behind savepoints that are sent together: while one runs, the next is there already. */
export const AHEAD = 2

function toBegin({ lockTimeoutMs, statementTimeoutMs, idleTimeoutMs }: TransactionLimits): string {
  // One round trip. SET LOCAL, so that a pooler may hand the connection on; constraints at once, so that none fails in COMMIT.
  return `BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = ${lockTimeoutMs};
    SET LOCAL statement_timeout = ${statementTimeoutMs};
    SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs};
    SET LOCAL tcp_user_timeout = ${idleTimeoutMs};
    ${toKeepalives(idleTimeoutMs)}
    SET LOCAL client_connection_check_interval = ${CHECK_CLIENT_MS};
    SET CONSTRAINTS ALL IMMEDIATE;
    SELECT pg_backend_pid() AS pid`
}

/** In a COPY PostgreSQL sends nothing, and only a probe finds out that the host is gone: within the idle time as well. */
function toKeepalives(idleTimeoutMs: number): string {
  const seconds = Math.max(2, Math.floor(idleTimeoutMs / 1_000))
  const idle = Math.floor(seconds / 2)
  return `SET LOCAL tcp_keepalives_idle = ${idle}; SET LOCAL tcp_keepalives_interval = 1;
    SET LOCAL tcp_keepalives_count = ${seconds - idle};`
}

/** Builds a transaction on a connection; `discard` gives the connection up. */
export function createTransaction(session: Session, discard: () => Promise<void>, limits: TransactionLimits) {
  const { client, connection, unanswered } = session
  const answerMs = limits.statementTimeoutMs + GRACE_MS
  /** For the statement that PostgreSQL works on: what was sent behind it has its time after it. */
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  let isDestroyed = false
  let opened = 0
  let answers = 0
  let failures = 0
  /** Asked for in each transaction: a pooler gives each another backend. */
  let pid = 0
  /** Ends a savepoint whose work is done, or refused, on the way to the next statement, which saves a round trip. */
  let ending = ''

  function send(...call: Parameters<typeof connection.unsafe>) {
    const query = make(...call)
    watch(query, query)
    return query
  }

  function make(...call: Parameters<typeof connection.unsafe>) {
    if (session.isLost) throw new dbErrors.SMG_DB_CONNECTION_LOST('in a transaction')
    return connection.unsafe(...call)
  }

  function watch(query: PromiseLike<unknown>, answered: PromiseLike<unknown>) {
    unanswered.add(query)
    timer ??= setTimeout(() => void discard(), answerMs)
    // First of all who hear of it: a reset is told to the query before `onclose`, and what is sent in between would
    // never be answered (postgres.js 3.4.9).
    answered.then(
      () => answer(query),
      (error: unknown) => {
        answer(query)
        failures += 1
        if (endsConnection(error)) session.isLost = true
      }
    )
  }

  function answer(query: PromiseLike<unknown>) {
    unanswered.delete(query)
    answers += 1
    if (unanswered.size > 0) timer?.refresh()
    else {
      clearTimeout(timer)
      timer = undefined
    }
  }

  async function run(text: string): Promise<Rows> {
    const result = await send(text)
    // Several statements in one text give a list of results; the last is the one that counts.
    return (Array.isArray(result[0]) ? result.at(-1) : result) as unknown as Rows
  }

  async function begin(): Promise<void> {
    const [row] = await run(toBegin(limits))
    pid = Number(row?.pid)
  }

  /** Gives the command that PostgreSQL answers with. */
  async function commit(): Promise<string> {
    // A savepoint that is done ends with it. One that is to be undone does not.
    if (ending.startsWith(UNDO)) await run(takeEnding())
    const { command } = await run('COMMIT')
    return command
  }

  async function query(text: string, parameters: readonly Parameter[] = []): Promise<Rows> {
    if (isOver) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
    // What is written in a subtransaction that only waits for its end would make a multixact of every lock taken before.
    if (ending) await run(takeEnding())
    return (await send(text, [...parameters], { prepare: true })) as unknown as Rows
  }

  async function copy(text: string, lines: string): Promise<number> {
    if (isOver) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
    if (ending) await run(takeEnding())
    const query = make(text).simple()
    const answered = copyIn(query as never, lines)
    watch(query, answered)
    return (await answered).count
  }

  /** Empty when no savepoint is to be ended. */
  function takeEnding(): string {
    const text = ending
    ending = ''
    return text
  }

  // Once its owner is over, it sends nothing more: the names of savepoints mean something else by then.
  async function savepoint<T>(work: (opening: Promise<unknown>) => Promise<T>, hasEnded = () => isOver): Promise<T> {
    if (hasEnded()) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
    opened += 1
    const name = `s${opened}`
    // The first statement of `work` goes out right behind it: no round trip is spent on the savepoint alone.
    const opening = run(`${takeEnding()}SAVEPOINT ${name}`)
    const failuresBefore = failures
    try {
      const [result] = await Promise.all([work(opening), opening])
      if (hasEnded()) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
      // Whatever was done inside it is released with it. A failure that `work` swallowed, or does not know of yet, has
      // aborted the transaction: that has to show here.
      if (ending.startsWith(UNDO)) await run(takeEnding())
      ending = toRelease(name)
      if (failures > failuresBefore || unanswered.size > 0) await run(takeEnding())
      return result
    } catch (error) {
      ending = ''
      if ((await isDone(opening)) && !session.isLost && !hasEnded()) await run(toUndo(name))
      throw error
    }
  }

  async function savepoints(works: readonly (() => Promise<unknown>)[]) {
    if (isOver) throw new dbErrors.SMG_DB_TRANSACTION_OVER()
    const sent: { name: string; opening: Promise<unknown>; outcome: Promise<unknown> }[] = []
    for (const work of works) {
      const before = sent.at(-AHEAD)
      // What is sent behind a refused one has to be sent again.
      if (before && !(await isDone(before.outcome))) break
      opened += 1
      const name = `s${opened}`
      const opening = run(`${takeEnding()}SAVEPOINT ${name}`)
      const outcome = Promise.all([work(), opening])
      // It is looked at in its turn.
      outcome.catch(() => undefined)
      ending = toRelease(name)
      sent.push({ name, opening, outcome })
    }
    const outcomes = await Promise.allSettled(sent.map(({ outcome }) => outcome))
    const first = outcomes.findIndex(({ status }) => status === 'rejected')
    if (first === -1) return { done: works.length }

    ending = ''
    const { name, opening } = sent[first] as (typeof sent)[number]
    const refusal = (outcomes[first] as PromiseRejectedResult).reason
    const isRefused = toPostgresError(refusal) !== null && (await isDone(opening))
    // On a lost connection the next statement says so.
    if (!isRefused || isOver) throw refusal
    ending = toUndo(name)
    return { done: first, refusal }
  }

  function openDrizzle(onLate: () => void = () => undefined): AttemptSession {
    // Its statements go out behind it; when it fails, so do they.
    if (ending) run(takeEnding()).catch(() => undefined)
    return createAttemptSession({ client, send, savepoint, hasEnded: () => isOver, onLate })
  }

  async function isAtWork(): Promise<boolean> {
    if (unanswered.size === 0) return true
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

  const tx: WriteTransaction = {
    query,
    copy,
    savepoint: work => savepoint(work),
    savepoints,
    openDrizzle,
    isAtWork,
    destroy
  }
  return {
    tx,
    begin,
    commit,
    run,
    isDestroyed: () => isDestroyed,
    end() {
      isOver = true
    }
  }
}

/** What PostgreSQL said; null for any other error. Drizzle wraps what the driver rejects with. */
export function toPostgresError(error: unknown): postgres.PostgresError | null {
  if (error instanceof postgres.PostgresError) return error
  const cause = error instanceof Error ? error.cause : null
  return cause instanceof postgres.PostgresError ? cause : null
}

function isDone(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false
  )
}

const UNDO = 'ROLLBACK TO SAVEPOINT'

function toRelease(name: string): string {
  return `RELEASE SAVEPOINT ${name}; `
}

function toUndo(name: string): string {
  return `${UNDO} ${name}; ${toRelease(name)}`
}

function endsConnection(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return error.severity === 'FATAL' || error.severity === 'PANIC'
  return databaseFault(error) === 'world'
}
