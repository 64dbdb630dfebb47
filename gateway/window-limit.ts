/** What is left of a limit. */
export interface Limit {
  readonly isAllowed: boolean
  readonly remaining: number
  /** Until the window begins anew; at least 1. */
  readonly resetSeconds: number
}

interface WindowOptions {
  readonly max: number
  readonly windowMs: number
  /** Keys that are remembered; the one that was made first is forgotten for a new one. */
  readonly maxKeys: number
  /** In milliseconds; default `performance.now()`, so that no window lasts until a clock that was set back catches up. */
  readonly now?: () => number
}

/**
 * Counts by key in fixed windows, in bounded memory. What @fastify/rate-limit cannot: a request that weighs more than
 * one (the events of a batch), and fields of today's draft.
 */
export function createWindowLimit({ max, windowMs, maxKeys, now = () => performance.now() }: WindowOptions) {
  const windows = new Map<string, { count: number; endsMs: number }>()

  /** Takes `weight` from what a key has left; takes nothing when that is too little. A weight of 0 only looks. */
  return function take(key: string, weight = 1): Limit {
    const nowMs = now()
    const window = currentWindow(key, nowMs)
    const isAllowed = window.count + weight <= max
    if (isAllowed) window.count += weight

    // Of two numbers with fractions the difference may be a little above what was added.
    const resetSeconds = Math.max(1, Math.ceil(Math.round(window.endsMs - nowMs) / 1000))
    return { isAllowed: isAllowed && (weight > 0 || window.count < max), remaining: max - window.count, resetSeconds }
  }

  function currentWindow(key: string, nowMs: number) {
    const known = windows.get(key)
    if (known && known.endsMs > nowMs) return known

    const window = { count: 0, endsMs: nowMs + windowMs }
    windows.delete(key)
    if (windows.size >= maxKeys) windows.delete(windows.keys().next().value ?? '')
    windows.set(key, window)
    return window
  }
}
