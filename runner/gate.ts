/** Counts what runs at once and holds back what would be too much. */
export interface Gate {
  enter(): void
  leave(): void
  isFull(): boolean
  /** Waits until there is room. */
  room(): Promise<void>
}

/** Builds a gate for `limit` at once. */
export function createGate(limit: number): Gate {
  let inside = 0
  let waiting: (() => void)[] = []

  return {
    enter() {
      inside += 1
    },
    leave() {
      inside -= 1
      const woken = waiting
      waiting = []
      for (const resolve of woken) resolve()
    },
    isFull: () => inside >= limit,
    async room() {
      while (inside >= limit) await new Promise<void>(resolve => waiting.push(resolve))
    }
  }
}
