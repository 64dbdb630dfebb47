import { toQuantiles } from '../quantiles.ts'
import type { Sent } from './follow.ts'

/** Of the events that were due in one second. */
export interface SecondOfLoad {
  /** Of the load, from 0. */
  readonly second: number
  readonly events: number
  /** From due to visible; what was not seen took for ever. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Sorts the events of a load that began at `startMs` by the second in which they were due; one without events is left out. */
export function toSeconds(events: readonly Sent[], startMs: number): SecondOfLoad[] {
  const bySecond = new Map<number, number[]>()
  for (const { dueMs, visibleMs } of events) {
    const second = Math.floor((dueMs - startMs) / 1000)
    const times = bySecond.get(second) ?? []
    bySecond.set(second, times)
    times.push(visibleMs === null ? Number.POSITIVE_INFINITY : visibleMs - dueMs)
  }
  return [...bySecond]
    .sort(([one], [other]) => one - other)
    .map(([second, times]) => {
      const { p50, p99 } = toQuantiles(times)
      return { second, events: times.length, p50Ms: p50, p99Ms: p99 }
    })
}

/** The first second from which on the p99 of each is below `limitMs`, to the end; null when the last one is not. */
export function findRecovery(seconds: readonly SecondOfLoad[], limitMs: number): number | null {
  const lastLate = seconds.findLastIndex(({ p99Ms }) => p99Ms >= limitMs)
  return seconds[lastLate + 1]?.second ?? null
}

/** The first second of those from `sinceSecond` on whose p99 is below `limitMs`, whatever comes after; null without one. */
export function findCaughtUp(seconds: readonly SecondOfLoad[], sinceSecond: number, limitMs: number): number | null {
  return seconds.find(({ second, p99Ms }) => second >= sinceSecond && p99Ms < limitMs)?.second ?? null
}
