// The rules by which Burrow judges a consumer (https://github.com/linkedin/Burrow/wiki/Consumer-Lag-Evaluation-Rules):
// not by how much it lags, but by what it did over a window of its commits.

/** What a consumer said of a partition at one time; the oldest comes first in a window. */
export interface WindowSample {
  readonly offset: bigint
  /** Null when it is not known. */
  readonly lag: number | null
  readonly atMs: number
}

interface Present {
  readonly lag: number
  /** Ends of the log that were seen of late. */
  readonly recentEnds: readonly bigint[]
  readonly nowMs: number
}

/** `slow` moves, and does not gain on those who write. */
export type WindowStatus = 'ok' | 'slow' | 'stalled' | 'stopped' | 'rewound'

/** Judges a window that has one sample at least. */
export function judgeWindow(samples: readonly WindowSample[], { lag, recentEnds, nowMs }: Present): WindowStatus {
  if (lag === 0) return 'ok'
  // First, because it counts whatever the lag was in a window that may be long ago; but who was at the end of the log a
  // moment ago has not stopped yet.
  if (hasStopped(samples, nowMs) && !wasAtEnd(samples, recentEnds)) return 'stopped'
  if (!hasAlwaysLagged(samples)) return 'ok'
  if (hasRewound(samples)) return 'rewound'
  if (hasStalled(samples)) return 'stalled'
  return isLosing(samples) ? 'slow' : 'ok'
}

/** Whether no sample is known to be without lag: one that is makes the window a good one. */
export function hasAlwaysLagged(samples: readonly WindowSample[]): boolean {
  return samples.every(({ lag }) => lag !== 0)
}

/** Whether an offset is lower than the one before it. */
export function hasRewound(samples: readonly WindowSample[]): boolean {
  return pairs(samples).some(([before, after]) => after.offset < before.offset)
}

/** Whether the time since the last sample is longer than the window is. */
export function hasStopped(samples: readonly WindowSample[], nowMs: number): boolean {
  const firstMs = samples[0]?.atMs ?? nowMs
  const lastMs = samples.at(-1)?.atMs ?? nowMs
  return nowMs - lastMs > lastMs - firstMs
}

/** Whether all samples have one offset. */
export function hasStalled(samples: readonly WindowSample[]): boolean {
  return pairs(samples).every(([before, after]) => after.offset === before.offset)
}

/** Whether the lag never falls. */
export function isLosing(samples: readonly WindowSample[]): boolean {
  const lags = samples.flatMap(({ lag }) => (lag === null ? [] : [lag]))
  return pairs(lags).every(([before, after]) => after >= before)
}

/** Whether the last offset is not below an end of the log that was seen of late. */
export function wasAtEnd(samples: readonly WindowSample[], recentEnds: readonly bigint[]): boolean {
  const last = samples.at(-1)
  return last !== undefined && recentEnds.some(end => end <= last.offset)
}

function pairs<T>(items: readonly T[]): [before: T, after: T][] {
  return items.slice(1).map((after, index) => [items[index] as T, after])
}
