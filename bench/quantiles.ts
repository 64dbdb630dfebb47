/** Of some times in milliseconds. */
export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Nearest rank: half, or 99 of 100, took no longer. All 0 without a number. */
export function toQuantiles(numbers: Iterable<number>): Quantiles {
  const sorted = Float64Array.from(numbers).sort()
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
