interface Counted {
  readonly atMs: number
  readonly count: number
}

/** In a window, at most: it is that much too short at worst. */
const STEPS = 60

/**
 * Remembers counters that only rise, and gives by how much they rose over a window. One that falls, because its database
 * was restored, begins anew.
 *
 * @param now in milliseconds, of a clock that nobody sets
 */
export function createIncreases(windowMs: number, now: () => number) {
  const series = new Map<string, { firstMs: number; steps: Counted[] }>()

  return {
    /** `isWhole`: it is known over all of the window. */
    add(key: string, count: number): { increase: number; isWhole: boolean } {
      const nowMs = now()
      const known = series.get(key) ?? { firstMs: nowMs, steps: [] }
      series.set(key, known)
      if (count < (known.steps.at(-1)?.count ?? 0)) known.steps = []

      // The last one before the window is what it rose from.
      const begin = known.steps.findLastIndex(({ atMs }) => atMs <= nowMs - windowMs)
      if (begin > 0) known.steps.splice(0, begin)
      const from = known.steps[0]?.count ?? count
      const newest = known.steps.at(-1)
      if (!newest || nowMs - newest.atMs >= windowMs / STEPS) known.steps.push({ atMs: nowMs, count })
      return { increase: count - from, isWhole: nowMs - known.firstMs >= windowMs }
    }
  }
}
