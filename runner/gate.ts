/** Counts what runs at once and holds back what would be too much. */
export interface Gate {
  enter(): void
  leave(): void
  isFull(): boolean
  /** Waits until there is room; who was told so at the same time may be faster. */
  room(): Promise<void>
  /** Waits until there is room, and enters. */
  pass(): Promise<void>
}

/** Builds a gate for `limit` at once. */
export function createGate(limit: number): Gate {
  let inside = 0
  let waiting: (() => void)[] = []

  function woken(): Promise<void> {
    return new Promise(resolve => waiting.push(resolve))
  }

  return {
    enter() {
      inside += 1
    },
    leave() {
      inside -= 1
      const all = waiting
      waiting = []
      for (const resolve of all) resolve()
    },
    isFull: () => inside >= limit,
    async room() {
      while (inside >= limit) await woken()
    },
    async pass() {
      while (inside >= limit) await woken()
      inside += 1
    }
  }
}
