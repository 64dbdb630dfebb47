/** Waits that are remembered; of more, the oldest two become one that counts what lies between as well. */
const MAX_WAITS = 100
const MAX_ASKING_MS = 1_000

/** Tells how old records are: by the clock of the database, and without the time in which the world was waited for. */
export interface WorldClock {
  /** Call with what the database said its time is (epoch in ms), and when it was asked and answered, of `performance.now()`. */
  learn(databaseMs: number, askedMs: number, answeredMs: number): void
  /** Waiting begins or goes on, or is over; calls that tell nothing new may be repeated. */
  setWaiting(isWaiting: boolean): void
  /** Age of what was stamped at `timestampMs`, in milliseconds; negative when that lies ahead. */
  ageMs(timestampMs: number): number
}

/**
 * Builds a clock that goes by this machine until the database told its time. It does not go with the machine's clock when
 * that is set back or on.
 */
export function createWorldClock({
  nowMs = () => performance.now(),
  startMs = performance.timeOrigin
} = {}): WorldClock {
  let aheadMs = startMs
  let waitingSinceMs: number | null = null
  /** In time order, by the clock of the database. */
  const waits: [fromMs: number, toMs: number][] = []
  const databaseNow = () => nowMs() + aheadMs

  function waitedMs(fromMs: number, toMs: number): number {
    const open: typeof waits = waitingSinceMs === null ? [] : [[waitingSinceMs, toMs]]
    return [...waits, ...open].reduce(
      (sum, [from, to]) => sum + Math.max(0, Math.min(to, toMs) - Math.max(from, fromMs)),
      0
    )
  }

  return {
    learn(databaseMs, askedMs, answeredMs) {
      // One that took long says little: nobody knows when in between it looked at its clock.
      if (answeredMs - askedMs > MAX_ASKING_MS) return
      aheadMs = databaseMs - (askedMs + answeredMs) / 2
    },
    setWaiting(isWaiting) {
      if (isWaiting) waitingSinceMs ??= databaseNow()
      else if (waitingSinceMs !== null) {
        waits.push([waitingSinceMs, databaseNow()])
        waitingSinceMs = null
        const [oldest, second] = waits
        if (waits.length > MAX_WAITS && oldest && second) waits.splice(0, 2, [oldest[0], second[1]])
      }
    },
    ageMs(timestampMs) {
      const now = databaseNow()
      return now - timestampMs - waitedMs(timestampMs, now)
    }
  }
}
