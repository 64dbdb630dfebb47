/** Waits that are remembered; of more, the oldest two become one that counts what lies between as well. */
const MAX_WAITS = 100
const MAX_ASKING_MS = 1_000

type Wait = [fromMs: number, toMs: number]

/** Tells how old records are: by the clock of the database, and without the time in which the world was waited for. */
export interface WorldClock {
  /** Call with what the database said its time is (epoch in ms), and when it was asked and answered, of `performance.now()`. */
  learn(databaseMs: number, askedMs: number, answeredMs: number): void
  /** Waiting begins or goes on, or is over; calls that tell nothing new may be repeated. */
  setWaiting(isWaiting: boolean): void
  /** A partition made no progress from `sinceMs` (epoch, by the clock of the database) until now, and had reason to. */
  stood(partition: number, sinceMs: number): void
  /** Age of what was stamped at `timestampMs`, in milliseconds; negative when that lies ahead. */
  ageMs(timestampMs: number, partition?: number): number
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
  const waits: Wait[] = []
  /** The same, by partition: what this process did not see itself. */
  const standstills = new Map<number, Wait[]>()
  const databaseNow = () => nowMs() + aheadMs

  function waitedMs(fromMs: number, toMs: number, standstill: readonly Wait[]): number {
    const open: Wait[] = waitingSinceMs === null ? [] : [[waitingSinceMs, toMs]]
    let untilMs = fromMs
    let sum = 0
    // One may lie within another: what was counted is not counted again.
    for (const [from, to] of [...waits, ...open, ...standstill].sort(([a], [b]) => a - b)) {
      sum += Math.max(0, Math.min(to, toMs) - Math.max(from, untilMs))
      untilMs = Math.max(untilMs, to)
    }
    return sum
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
        remember(waits, [waitingSinceMs, databaseNow()])
        waitingSinceMs = null
      }
    },
    stood(partition, sinceMs) {
      const known = standstills.get(partition) ?? []
      standstills.set(partition, known)
      const last = known.at(-1)
      // Looked at once more, before there was any progress.
      if (last?.[0] === sinceMs) last[1] = databaseNow()
      else remember(known, [sinceMs, databaseNow()])
    },
    ageMs(timestampMs, partition = -1) {
      const now = databaseNow()
      return now - timestampMs - waitedMs(timestampMs, now, standstills.get(partition) ?? [])
    }
  }
}

function remember(waits: Wait[], wait: Wait) {
  waits.push(wait)
  const [oldest, second] = waits
  if (waits.length > MAX_WAITS && oldest && second) waits.splice(0, 2, [oldest[0], second[1]])
}
