/** A measured time in milliseconds, and whether it ended well. */
interface Sample {
  readonly atMs: number
  readonly durationMs: number
  readonly isError: boolean
}

/** What was measured over a time. Times are null when nothing was. */
export interface MinuteStats {
  /** A second. */
  readonly rate: number
  readonly meanMs: number | null
  readonly p99Ms: number | null
  /** 0 to 1. */
  readonly errorRatio: number
}

const WINDOW_MS = 60_000
const SLOTS = 60
// Upper bounds of a histogram in ms, each a tenth above the one before: p99 is right within 10 %.
const BOUNDS = Array.from({ length: 160 }, (_, index) => 0.05 * 1.1 ** index)

interface Slot {
  second: number
  count: number
  errors: number
  totalMs: number
  readonly buckets: Uint32Array
}

/**
 * Measures over the last 60 seconds in a ring of one-second histograms: its memory does not grow with the traffic.
 *
 * @param now in milliseconds, of the clock that samples are stamped by
 */
export function createMinuteStats(now: () => number) {
  const startedMs = now()
  const ring: Slot[] = Array.from({ length: SLOTS }, () => {
    return { second: -1, count: 0, errors: 0, totalMs: 0, buckets: new Uint32Array(BOUNDS.length + 1) }
  })

  return {
    record({ atMs, durationMs, isError }: Sample): void {
      const slot = slotOf(Math.floor(atMs / 1000))
      slot.count += 1
      slot.totalMs += durationMs
      if (isError) slot.errors += 1
      const bucket = bucketOf(durationMs)
      slot.buckets[bucket] = (slot.buckets[bucket] ?? 0) + 1
    },

    read(): MinuteStats {
      const second = Math.floor(now() / 1000)
      // A process that is younger than the window divides by its age.
      return summarize(second - SLOTS + 1, second, Math.min(WINDOW_MS, Math.max(1000, now() - startedMs)) / 1000)
    },

    /** Over the last whole seconds, one at least and 59 at most: the one that runs is not over. */
    readLast(seconds: number): MinuteStats {
      const second = Math.floor(now() / 1000)
      const whole = Math.min(Math.max(1, seconds), SLOTS - 1)
      return summarize(second - whole, second - 1, whole)
    }
  }

  function summarize(from: number, to: number, seconds: number): MinuteStats {
    const slots = ring.filter(slot => slot.second >= from && slot.second <= to)
    const count = sum(slots, slot => slot.count)
    return {
      rate: count / seconds,
      meanMs: count === 0 ? null : sum(slots, slot => slot.totalMs) / count,
      p99Ms: count === 0 ? null : percentile(slots, Math.ceil(count * 0.99)),
      errorRatio: count === 0 ? 0 : sum(slots, slot => slot.errors) / count
    }
  }

  function slotOf(second: number): Slot {
    const slot = ring[second % SLOTS] as Slot
    if (slot.second === second) return slot
    slot.buckets.fill(0)
    return Object.assign(slot, { second, count: 0, errors: 0, totalMs: 0 })
  }
}

export type MinuteRecorder = ReturnType<typeof createMinuteStats>

function bucketOf(durationMs: number): number {
  const index = Math.ceil(Math.log(Math.max(durationMs, 0.05) / 0.05) / Math.log(1.1))
  return Math.min(index, BOUNDS.length)
}

function percentile(slots: readonly Slot[], rank: number): number {
  let seen = 0
  for (let index = 0; index < BOUNDS.length; index += 1) {
    seen += sum(slots, slot => slot.buckets[index] ?? 0)
    if (seen >= rank) return BOUNDS[index] ?? 0
  }
  return BOUNDS.at(-1) ?? 0
}

function sum(slots: readonly Slot[], measure: (slot: Slot) => number): number {
  return slots.reduce((total, slot) => total + measure(slot), 0)
}
