/** Above this many events a second, events go in batches. */
const MAX_SINGLE_RATE = 50

/** Gives how often what is done, at a rate of so many events a second. */
export function toPeriods(rate: number, tickMs: { readonly single: number; readonly batch: number }) {
  const isBatch = rate > MAX_SINGLE_RATE
  return {
    isBatch,
    tickMs: isBatch ? tickMs.batch : tickMs.single,
    // Every request of the demo is an event of its own: at a low rate it asks less often.
    reportMs: Math.min(10_000, Math.max(1_000, 20_000 / rate)),
    sampleMs: Math.min(10_000, Math.max(100, 25_000 / rate))
  }
}

/** Builds the pace of `rate` events a second. What could not be sent in time is not made up for beyond one second of it. */
export function createPace(rate: number, startMs: number) {
  let credit = 0
  let lastMs = startMs

  return {
    /** Events that are due by `nowMs`; below zero when more were taken than were due. */
    due(nowMs: number): number {
      credit = Math.min(rate, credit + (rate * (nowMs - lastMs)) / 1_000)
      lastMs = nowMs
      return Math.floor(credit)
    },
    /** Takes events, due or not. */
    take(count: number) {
      credit -= count
    }
  }
}

/** Builds a counter that gives the rate of the last `windowMs`, or of the time since `startMs` while that is shorter. */
export function createRate(windowMs: number, startMs: number) {
  const added: { readonly atMs: number; count: number }[] = []

  return {
    add(count: number, nowMs: number) {
      const last = added.at(-1)
      // The events of a batch come together: one entry for all of them.
      if (last && nowMs - last.atMs < 1) last.count += count
      else added.push({ atMs: nowMs, count })
    },
    perSecond(nowMs: number): number {
      while (added[0] && added[0].atMs <= nowMs - windowMs) added.shift()
      const spanMs = Math.min(windowMs, nowMs - startMs)
      return spanMs > 0 ? (added.reduce((sum, { count }) => sum + count, 0) / spanMs) * 1_000 : 0
    }
  }
}
