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

/** A class, so that its methods are made once: there is one a request. */
class SomeAppend implements Append {
  readonly settled: Promise<AppendResult[]>
  readonly #results: AppendResult[]
  readonly #entries: Entry[] = []
  readonly #timeoutMs: number
  readonly #budget: Budget
  readonly #timer: NodeJS.Timeout
  #resolve: (results: AppendResult[]) => void = () => undefined
  #pending: number

  constructor(count: number, { timeoutMs, budget }: AppendOptions) {
    this.#results = new Array<AppendResult>(count)
    this.#pending = count
    this.#timeoutMs = timeoutMs
    this.#budget = budget
    this.settled = new Promise(resolve => {
      this.#resolve = resolve
    })
    this.#timer = setTimeout(expire, timeoutMs, this)
  }

  add(entry: Entry): void {
    this.#entries.push(entry)
  }

  settle(index: number, result: AppendResult): void {
    this.#results[index] = result
    this.#pending -= 1
    if (this.#pending > 0) return
    clearTimeout(this.#timer)
    this.#resolve(this.#results)
  }

  expire(): void {
    // One error for all: a stack a record would cost more than the records.
    const withdrawn = { error: new kafkaErrors.SMG_KAFKA_TIMEOUT(this.#timeoutMs) }
    const unknown = { error: new kafkaErrors.SMG_KAFKA_UNKNOWN_OUTCOME(`no answer within ${this.#timeoutMs} ms`) }

    for (const entry of this.#entries) {
      if (!entry.isSettled) this.#giveUp(entry, entry.isSent ? unknown : withdrawn)
    }
  }

  withdraw(): void {
    const withdrawn = { error: new kafkaErrors.SMG_KAFKA_WITHDRAWN() }
    for (const entry of this.#entries) if (!entry.isSettled && !entry.isSent) this.#giveUp(entry, withdrawn)
  }

  #giveUp(entry: Entry, result: AppendResult): void {
    settleEntry(entry, result, this.#budget)
    if (!entry.isInFlight) entry.queue.noteWithdrawn()
  }
}

interface AppendOptions {
  readonly timeoutMs: number
  readonly budget: Budget
}

/** Builds an append of `count` records, which expires by itself after `timeoutMs`. */
export function createAppend(count: number, options: AppendOptions): Append {
  return new SomeAppend(count, options)
}

function expire(append: Append): void {
  append.expire()
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
