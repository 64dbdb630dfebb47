/** Lets work in as long as there is room, in the order in which it came. */
export interface Turnstile {
  /**
   * Runs `run` at once or, behind those who wait already, as soon as there is room; at the latest after `timeoutMs`, room
   * or not. What it gives is that of `run`, which is told how long it may still take and must not throw.
   */
  enter<T>(run: (leftMs: number) => Promise<T>, timeoutMs: number): Promise<T>
  /** Looks again whether there is room: to be called when there may be. */
  turn(): void
}

/** Builds a turnstile. `hasRoom` is asked before each run, which takes its room before it gives its promise. */
export function createTurnstile(hasRoom: () => boolean): Turnstile {
  const waiting = new Set<() => void>()

  return {
    enter<T>(run: (leftMs: number) => Promise<T>, timeoutMs: number): Promise<T> {
      if (waiting.size === 0 && hasRoom()) return run(timeoutMs)
      const lateMs = performance.now() + timeoutMs

      return new Promise<T>(resolve => {
        const timer = setTimeout(begin, timeoutMs)
        waiting.add(begin)

        function begin() {
          clearTimeout(timer)
          waiting.delete(begin)
          resolve(run(Math.max(1, lateMs - performance.now())))
        }
      })
    },

    turn() {
      for (const begin of waiting) {
        if (!hasRoom()) return
        begin()
      }
    }
  }
}
