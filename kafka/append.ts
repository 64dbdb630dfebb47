import { kafkaErrors } from './errors.ts'
import type { Entry } from './record-queue.ts'
import type { AppendResult } from './types.ts'

/** One call of `append`: settles when each of its records has. */
export interface Append {
  readonly settled: Promise<AppendResult[]>
  add(entry: Entry): void
  /** Gives a record its result. */
  settle(index: number, result: AppendResult): void
  /** Withdraws what no send has taken, gives up what one has. Does nothing to what is settled. */
  expire(): void
  /** Withdraws what no send has taken; the rest settles as if nothing was. */
  withdraw(): void
}

/** Counts bytes that wait or are in flight. */
export interface Budget {
  readonly maxBytes: number
  usedBytes: number
}

/**
 * Builds an append of `count` records, which expires by itself after `timeoutMs`.
 */
export function createAppend(count: number, { timeoutMs, budget }: { timeoutMs: number; budget: Budget }): Append {
  const results = new Array<AppendResult>(count)
  const entries: Entry[] = []
  const { promise, resolve } = withResolvers<AppendResult[]>()
  const timer = setTimeout(expire, timeoutMs)
  let pending = count

  function settle(index: number, result: AppendResult): void {
    results[index] = result
    pending -= 1
    if (pending > 0) return
    clearTimeout(timer)
    resolve(results)
  }

  function expire(): void {
    // One error for all: a stack a record would cost more than the records.
    const withdrawn = { error: new kafkaErrors.SMG_KAFKA_TIMEOUT(timeoutMs) }
    const unknown = { error: new kafkaErrors.SMG_KAFKA_UNKNOWN_OUTCOME(`no answer within ${timeoutMs} ms`) }

    for (const entry of entries) {
      if (!entry.isSettled) giveUp(entry, entry.isSent ? unknown : withdrawn)
    }
  }

  function withdraw(): void {
    const withdrawn = { error: new kafkaErrors.SMG_KAFKA_WITHDRAWN() }
    for (const entry of entries) if (!entry.isSettled && !entry.isSent) giveUp(entry, withdrawn)
  }

  function giveUp(entry: Entry, result: AppendResult): void {
    settleEntry(entry, result, budget)
    if (!entry.isInFlight) entry.queue.noteWithdrawn()
  }

  return { settled: promise, add: entry => void entries.push(entry), settle, expire, withdraw }
}

/** Settles a record once; later calls do nothing. Its bytes count until it is neither waiting nor in flight. */
export function settleEntry(entry: Entry, result: AppendResult, budget: Budget): void {
  if (entry.isSettled) return
  entry.isSettled = true
  if (!entry.isInFlight) budget.usedBytes -= entry.bytes
  entry.append.settle(entry.index, result)
}

/** Notes that the send of a record is over; call it before the record is settled or put back. */
export function landEntry(entry: Entry, budget: Budget): void {
  entry.isInFlight = false
  if (entry.isSettled) budget.usedBytes -= entry.bytes
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}
