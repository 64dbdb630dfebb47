import { databaseFault } from '../db/database-fault.ts'
import { gatewayErrors, withExtras } from './errors.ts'
import type { MinuteRecorder } from './minute-stats.ts'
import { within } from './within.ts'

/** A query that is over. */
export interface QueryReport {
  /** Of the room and the query. */
  readonly name: string
  readonly durationMs: number
  /** PostgreSQL was away, or too slow. */
  readonly isAway: boolean
}

interface GuardOptions {
  /** For a query to answer, its wait for a connection included. */
  readonly timeoutMs: number
  /** Queries that may be under way: a database that hangs must not fill the memory of the gateway. */
  readonly maxPending: number
  readonly latency: MinuteRecorder
  /** Told of every query that was asked. */
  readonly onQuery: (query: QueryReport) => void
  /** In milliseconds, of the clock that `latency` goes by. */
  readonly now: () => number
}

type Queries = { readonly [room: string]: { readonly [query: string]: (...parameters: never[]) => Promise<unknown> } }

/**
 * Puts a deadline on every query, measures it, and translates what the driver throws: SMG_GATEWAY_DATABASE_AWAY when
 * PostgreSQL is away or too slow. Any other error passes as it is.
 */
export function guardQueries<Q extends Queries>(queries: Q, options: GuardOptions): Q {
  let pending = 0
  const guarded: Record<string, Record<string, unknown>> = {}

  for (const [room, members] of Object.entries(queries)) {
    guarded[room] = Object.fromEntries(
      Object.entries(members).map(([name, query]) => [name, guard(`${room}.${name}`, query)])
    )
  }
  return guarded as unknown as Q

  function guard(name: string, query: (...parameters: never[]) => Promise<unknown>) {
    return async (...parameters: never[]) => {
      if (pending >= options.maxPending) throw away(undefined)
      const startedMs = performance.now()
      let isAway = false
      const toAway = (cause: unknown) => {
        isAway = true
        return away(cause)
      }
      try {
        return await within(track(query(...parameters)), options.timeoutMs, () => toAway(undefined))
      } catch (thrown) {
        throw databaseFault(thrown) === 'world' ? toAway(thrown) : thrown
      } finally {
        const durationMs = performance.now() - startedMs
        options.latency.record({ atMs: options.now(), durationMs, isError: false })
        options.onQuery({ name, durationMs, isAway })
      }
    }
  }

  // Counts until the driver lets go, not until the deadline: that is what the memory holds.
  function track<T>(running: Promise<T>): Promise<T> {
    pending += 1
    return running.finally(() => {
      pending -= 1
    })
  }
}

function away(cause: unknown) {
  return withExtras(new gatewayErrors.SMG_GATEWAY_DATABASE_AWAY(), { retryAfterSeconds: 1, cause })
}
