import type { RunTransaction } from '../db/queries/dead-letter-requests.ts'
import type { Writer } from '../db/writer.ts'

// Below the deadline of a query: PostgreSQL gives up before the gateway does.
const LIMITS = { lockTimeoutMs: 1_000, statementTimeoutMs: 1_500, idleTimeoutMs: 1_500 }

/** Lets transactions run one after the other: few need more than one statement, and a writer takes one at a time. */
export function takeTurns(writer: Pick<Writer, 'transaction'>): RunTransaction {
  let last: Promise<unknown> = Promise.resolve()

  return work => {
    const run = last.then(() => writer.transaction(work, LIMITS))
    last = run.catch(() => undefined)
    return run
  }
}
