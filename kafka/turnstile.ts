interface EnterOptions {
  /** For the waiting and for `run`. */
  readonly timeoutMs: number
  /** Ends the waiting: `run` is called at once then, room or not. */
  readonly signal?: AbortSignal | undefined
}

/** Lets work in as long as there is room, in the order in which it came. */
export interface Turnstile {
  /** Whether who comes now is let in at once. */
  isOpen(): boolean
  /**
   * Runs `run` at once or, behind those who wait already, as soon as there is room; at the latest after `timeoutMs`, room
   * or not. What it gives is that of `run`, which is told how long it may still take and must not throw.
   */
  enter<T>(run: (leftMs: number) => Promise<T>, options: EnterOptions): Promise<T>
  /** Looks again whether there is room: to be called when there may be. */
  turn(): void
}

// Node cuts the fraction of a timer off, and its clock of timers has whole milliseconds.
const EARLY_MS = 2

/** Builds a turnstile. `hasRoom` is asked before each run, which takes its room before it gives its promise. */
export function createTurnstile(hasRoom: () => boolean): Turnstile {
  /** When the time of each is over, in their order. */
  const waiting = new Map<() => void, number>()
  const isOpen = () => waiting.size === 0 && hasRoom()

  return {
    isOpen,

    enter<T>(run: (leftMs: number) => Promise<T>, { timeoutMs, signal }: EnterOptions): Promise<T> {
      if (isOpen() || signal?.aborted) return run(timeoutMs)
      const lateMs = performance.now() + timeoutMs

      return new Promise<T>(resolve => {
        const timer = setTimeout(expire, timeoutMs, begin)
        waiting.set(begin, lateMs)
        signal?.addEventListener('abort', begin)

        function begin() {
          clearTimeout(timer)
          signal?.removeEventListener('abort', begin)
          waiting.delete(begin)
          resolve(run(Math.max(1, lateMs - performance.now())))
        }
      })
    },

    turn() {
      for (const begin of waiting.keys()) {
        if (!hasRoom()) return
        begin()
      }
    }
  }

  /** Timers of different length fire in the wrong order when they are close: whose time is over goes in its own. */
  function expire(late: () => void) {
    const nowMs = performance.now()
    for (const [begin, lateMs] of waiting) {
      if (begin === late || lateMs <= nowMs + EARLY_MS) begin()
      if (begin === late) return
    }
  }
}
