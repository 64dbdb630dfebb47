const NON_RETRIABLE = Symbol.for('smg-kafka.non-retriable')
const RETRY_AFTER = Symbol.for('smg-kafka.retry-after')
// The longest that a timer of Node waits; beyond it, it does not wait at all.
const LONGEST_MS = 2 ** 31 - 1

/** Thrown by a function for a record that no further attempt can help: it is a dead letter at once. */
export class NonRetriableError extends Error {
  override readonly name = 'NonRetriableError'
  // A symbol and not `instanceof`: a function file may load its own copy of this module.
  readonly [NON_RETRIABLE] = true
}

/** Thrown by a function that wants its next attempt after `ms` milliseconds (24 days at most), whatever its backoff says. */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError'
  readonly [RETRY_AFTER]: number

  constructor(ms: number, message = `try again after ${ms} ms`, options?: ErrorOptions) {
    super(message, options)
    this[RETRY_AFTER] = ms
  }
}

/** Says whether a function gave its record up. */
export function isNonRetriable(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && NON_RETRIABLE in thrown
}

/** Gives the wait that a function asked for, in milliseconds; null when it did not. */
export function retryAfterMs(thrown: unknown): number | null {
  if (typeof thrown !== 'object' || thrown === null || !(RETRY_AFTER in thrown)) return null
  const ms = Number(thrown[RETRY_AFTER])
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, LONGEST_MS) : null
}
