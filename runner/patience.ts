import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { isCoordinatorLoading } from '../kafka/failure.ts'

/** After a fault of ours one batch is tried again so often: a migration in progress ends, a password is set. */
export const RETRY_OURS_MS = 30_000

/** A coordinator of a group that loads for longer is a fault. */
const LOADING_MS = 30_000

const FIRST_MS = 50
const LONGEST_MS = 1_000

type Level = 'warn' | 'error'

/** Waits between two tries of something that the world has to mend. */
export interface Patience {
  /** Waits, twice as long as the last time up to a second, with jitter; returns at once when `signal` aborts. */
  wait(signal: AbortSignal): Promise<void>
  /** How long it has been failing, in milliseconds; 0 when it is not. */
  failingMs(): number
  /** Notes that a failure of this row is told so loudly; gives whether none was told as loudly before. */
  tell(level: Level): boolean
  /** Call after a success. Gives whether there had been a failure. */
  reset(): boolean
}

/** Builds a patience that has not been tried yet. */
export function createPatience(): Patience {
  let failures = 0
  let sinceMs = 0
  let told: Level | null = null

  return {
    async wait(signal) {
      if (failures === 0) sinceMs = performance.now()
      const wholeMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10))
      failures += 1
      await pause(wholeMs * (0.75 + Math.random() / 4), signal)
    },
    failingMs: () => (failures === 0 ? 0 : performance.now() - sinceMs),
    tell(level) {
      if (told === 'error' || told === level) return false
      told = level
      return true
    },
    reset() {
      const had = failures > 0
      failures = 0
      told = null
      return had
    }
  }
}

/** Waits for `ms`, or until the signal aborts: neither is an error. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Waits until the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/**
 * Logs a failure that is tried again: the first of a row aloud, the others for whoever looks. A coordinator that loads is no
 * error: a group meets that at the first start of a cluster, and when a broker goes.
 */
export function logOnce(log: Logger, patience: Patience, error: unknown, message: string): void {
  const failingMs = patience.failingMs()
  const level = isCoordinatorLoading(error) && failingMs < LOADING_MS ? 'warn' : 'error'
  log[patience.tell(level) ? level : 'debug']({ err: error, failingMs }, message)
}
