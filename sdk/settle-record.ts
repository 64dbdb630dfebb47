import type { Logger } from 'pino'
import { AttemptContext, abortAttempt, type ContextParts, endAttempt, toOwn } from './attempt-context.ts'
import { sdkErrors } from './errors.ts'
import { type IdentifiedRecord, toHeaders, toText, toTime } from './record.ts'
import { isNonRetriable, retryAfterMs } from './thrown.ts'
import type { Context, Input, LoadedFunction } from './types.ts'

export type Stage = 'decode' | 'validate' | 'handle' | 'persist'

/** Why a record is a dead letter. */
export type Disposition =
  | 'decode_failed'
  | 'validation_failed'
  | 'non_retriable'
  | 'attempts_exhausted'
  | 'record_expired'
  | 'timed_out'
  | 'parked_behind_key'
  | 'crashed'
  | 'id_reused'
  | 'imported'

/** A record that its function cannot settle. */
export interface Dead {
  readonly kind: 'dead'
  readonly stage: Stage
  readonly disposition: Disposition
  /** Attempts made; 0 when `handle` was never called. */
  readonly attempts: number
  /** Anything at all: what a function throws is its own affair. */
  readonly error: unknown
}

/** What one attempt came to. */
export type Outcome =
  | {
      readonly kind: 'handled'
      readonly event: unknown
      readonly effect: unknown
      readonly published: readonly Published[]
    }
  | { readonly kind: 'retry'; readonly nextAttempt: number; readonly waitMs: number; readonly error: unknown }
  | Dead

/** An event that an attempt put into the outbox, as it was at that moment: the function may go on to change it. */
export interface Published {
  readonly topic: string
  /** Null: none. */
  readonly key: Buffer | null
  /** JSON. */
  readonly value: Buffer
}

export interface SettleDependencies {
  readonly log: Logger
  /** Aborts when the process is to end: a running attempt is given up, and nothing is settled. */
  readonly shutdown: AbortSignal
  /** Takes an event for a topic. What it throws (SMG_SDK_BAD_PUBLISH for one that the topic does not take) fails the attempt. */
  readonly toPublished: (topic: string, event: unknown) => Published
  /** Says whether a failure is not the record's (a lost database): it is thrown on, and no attempt is used up. */
  readonly isForeign?: (thrown: unknown) => boolean
  /** Age of what was stamped at a time, both in milliseconds; by default by the clock of this machine. */
  readonly ageMs?: (timestampMs: number, partition: number) => number
  /** Told of each call of `publish` that comes when its attempt is over. */
  readonly onLateCall?: () => void
  /** 0 up to 1; for the jitter. */
  readonly random?: () => number
}

/** That a record is a dead letter which runs through its function again. */
export interface Redrive {
  /** Of all the times before: `attempt` goes on counting. */
  readonly attemptsBefore: number
}

/** Calls `handle`, or what stands for it: with its input, and with a context that has no `tx` yet. */
export type RunHandle = (input: Input, context: Context) => unknown

/**
 * Builds the way of one record of a function: decode, validate, one attempt.
 *
 * The result comes at once when `handle` is synchronous, else as a promise, which rejects on shutdown and with
 * whatever `isForeign` claims: then nothing is settled. A wait before the next attempt is the caller's, outside of
 * any transaction.
 */
export function createRecordSettler(definition: LoadedFunction, dependencies: SettleDependencies) {
  const {
    log,
    shutdown,
    toPublished,
    isForeign = () => false,
    ageMs = timestampMs => Date.now() - timestampMs,
    onLateCall = () => undefined,
    random = Math.random
  } = dependencies
  const { maxAttempts, backoffMs, timeoutMs, maxAgeMs } = definition.options
  const takesContext = (definition.handle?.length ?? 0) > 1
  const contextParts: ContextParts = { log, shutdown, toPublished, onLateCall }

  /**
   * @param attempt of this run; 1 on the first
   * @param redrive null for a record that comes from its topic
   */
  return function settle(
    record: IdentifiedRecord,
    attempt: number,
    runHandle: RunHandle,
    redrive: Redrive | null = null
  ): Outcome | Promise<Outcome> {
    let event: unknown
    try {
      if (record.value === null) throw new sdkErrors.SMG_SDK_BAD_JSON('it is null')
      event = definition.parseEvent(record.value)
    } catch (error) {
      return { ...toUnreadable(error), attempts: redrive?.attemptsBefore ?? 0 }
    }
    // Whoever redrives a record knows its age.
    if (!redrive && maxAgeMs !== null && ageMs(record.timestampMs, record.partition) > maxAgeMs) {
      const error = new sdkErrors.SMG_SDK_EXPIRED(maxAgeMs)
      return { kind: 'dead', stage: 'handle', disposition: 'record_expired', attempts: attempt - 1, error }
    }
    return attemptOnce(record, event, attempt, redrive, runHandle)
  }

  function attemptOnce(
    record: IdentifiedRecord,
    event: unknown,
    attempt: number,
    redrive: Redrive | null,
    runHandle: RunHandle
  ): Outcome | Promise<Outcome> {
    const number = (redrive?.attemptsBefore ?? 0) + attempt
    const context = new AttemptContext(record, number, redrive !== null, contextParts)
    try {
      const effect = runHandle(toInput(record, event), takesContext ? toOwn(context) : context)
      if (!isPromise(effect)) return toHandled(event, effect, context)
      return withDeadline(effect, context, timeoutMs).then(
        settled => toHandled(event, settled, context),
        thrown => fail(thrown, context, attempt, number)
      )
    } catch (thrown) {
      return fail(thrown, context, attempt, number)
    }
  }

  /** @param number counts the attempts of all times before, too */
  function fail(thrown: unknown, context: AttemptContext, attempt: number, number: number): Outcome {
    endAttempt(context)
    shutdown.throwIfAborted()
    if (isForeign(thrown)) throw thrown

    const error =
      thrown instanceof Error
        ? thrown
        : Object.assign(new sdkErrors.SMG_SDK_THROWN(describe(thrown)), { cause: thrown })
    if (isNonRetriable(thrown))
      return { kind: 'dead', stage: 'handle', disposition: 'non_retriable', attempts: number, error }
    if (attempt >= maxAttempts) {
      const disposition = isTimeout(thrown) ? 'timed_out' : 'attempts_exhausted'
      return { kind: 'dead', stage: 'handle', disposition, attempts: number, error }
    }
    const waitMs = retryAfterMs(thrown) ?? backoff(attempt)
    return { kind: 'retry', nextAttempt: attempt + 1, waitMs, error }
  }

  // Full jitter between half and the whole: records that failed together do not come back together.
  function backoff(attempt: number): number {
    const whole = Math.min(backoffMs.max, backoffMs.min * 2 ** (attempt - 1))
    return Math.round(whole * (0.5 + random() / 2))
  }
}

function toUnreadable(error: unknown): Dead {
  const isShape = (error as { code?: unknown }).code === 'SMG_SDK_BAD_EVENT'
  return isShape
    ? { kind: 'dead', stage: 'validate', disposition: 'validation_failed', attempts: 0, error }
    : { kind: 'dead', stage: 'decode', disposition: 'decode_failed', attempts: 0, error }
}

function toInput(record: IdentifiedRecord, event: unknown): Input {
  const { id, topic, partition, offset, timestampMs } = record
  return {
    event: event as Input['event'],
    id,
    key: toText(record.key),
    headers: toHeaders(record.headers),
    // Beyond the range of a date is only what a foreign producer stamped in another unit.
    timestamp: toTime(timestampMs),
    topic,
    partition,
    offset
  }
}

function toHandled(event: unknown, effect: unknown, context: AttemptContext): Outcome {
  return { kind: 'handled', event, effect, published: endAttempt(context) }
}

function withDeadline(effect: PromiseLike<unknown>, context: AttemptContext, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new sdkErrors.SMG_SDK_TIMEOUT(timeoutMs)
      reject(error)
      abortAttempt(context, error)
    }, timeoutMs)
    effect.then(
      value => {
        clearTimeout(timer)
        resolve(value)
      },
      thrown => {
        clearTimeout(timer)
        reject(thrown)
      }
    )
  })
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown as { code?: unknown }).code === 'SMG_SDK_TIMEOUT'
}

/** A thrown thing in a few words, whatever it is; never throws itself. */
export function describe(thrown: unknown): string {
  try {
    // A message can be anything that was put there.
    if (thrown instanceof Error) return String(thrown.message)
    return typeof thrown === 'object'
      ? (JSON.stringify(thrown) ?? 'an object').slice(0, 200)
      : String(thrown).slice(0, 200)
  } catch {
    return 'something that cannot be shown'
  }
}
