import type { RunTransaction } from '../db/queries/dead-letter-requests.ts'
import type { Writer } from '../db/writer.ts'
import { gatewayErrors } from './errors.ts'

// Below the deadline of a query: PostgreSQL gives up before the gateway does.
const LIMITS = { lockTimeoutMs: 1_000, statementTimeoutMs: 1_500, idleTimeoutMs: 1_500 }

// Whoever asked has been answered by then, and nothing happens behind his back.
const MAX_WAIT_MS = 1_900

/**
 * Lets transactions run one after the other: few need more than one statement, and a writer takes one at a time. One
 * whose turn comes too late is not begun, and rejects with SMG_GATEWAY_DATABASE_AWAY.
 */
export function takeTurns(writer: Pick<Writer, 'transaction'>): RunTransaction {
  let last: Promise<unknown> = Promise.resolve()

  return work => {
    const latestMs = performance.now() + MAX_WAIT_MS
    const run = last.then(() => {
      if (performance.now() > latestMs) throw new gatewayErrors.SMG_GATEWAY_DATABASE_AWAY()
      return writer.transaction(work, LIMITS)
    })
    last = run.catch(() => undefined)
    return run
  }
}
