/** Wakes one waiting loop. A call that comes before the wait is not lost. */
export interface WakeUp {
  wake(): void
  /** Waits for a call, at most for `ms`. */
  wait(ms?: number): Promise<void>
}

/** Builds a wake-up. */
export function createWakeUp(): WakeUp {
  let isCalled = false
  let resolveWait: (() => void) | null = null

  return {
    wake() {
      isCalled = true
      resolveWait?.()
    },
    async wait(ms) {
      if (!isCalled) {
        await new Promise<void>(resolve => {
          const timer = ms === undefined ? undefined : setTimeout(resolve, ms)
          resolveWait = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      resolveWait = null
      isCalled = false
    }
  }
}
