import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'

/** After a fault of ours one batch is tried again so often: a migration in progress ends, a password is set. */
export const RETRY_OURS_MS = 30_000

const FIRST_MS = 50
const LONGEST_MS = 1_000

/** Waits between two tries of something that the world has to mend. */
export interface Patience {
  /** Waits, twice as long as the last time up to a second, with jitter; returns at once when `signal` aborts. */
  wait(signal: AbortSignal): Promise<void>
  /** How long it has been failing, in milliseconds; 0 when it is not. */
  failingMs(): number
  /** Call after a success. Gives whether there had been a failure. */
  reset(): boolean
}

/** Builds a patience that has not been tried yet. */
export function createPatience(): Patience {
  let failures = 0
  let sinceMs = 0

  return {
    async wait(signal) {
      if (failures === 0) sinceMs = performance.now()
      const wholeMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10))
      failures += 1
      await pause(wholeMs * (0.75 + Math.random() / 4), signal)
    },
    failingMs: () => (failures === 0 ? 0 : performance.now() - sinceMs),
    reset() {
      const had = failures > 0
      failures = 0
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

/** Logs a failure that is tried again: the first of a row aloud, the others for whoever looks. */
export function logOnce(log: Logger, patience: Patience, error: unknown, message: string): void {
  const failingMs = patience.failingMs()
  if (failingMs === 0) log.error({ err: error }, message)
  else log.debug({ err: error, failingMs }, message)
}
