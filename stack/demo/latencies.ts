const MAX_SAMPLES = 10_000

/** What some latencies come to, in milliseconds; null without any. */
export interface LatencyView {
  readonly count: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

/** Builds a collection of latencies, the last 10,000 of them. */
export function createLatencies() {
  const samples: number[] = []
  let count = 0

  return {
    add(ms: number) {
      samples[count % MAX_SAMPLES] = ms
      count += 1
    },
    read(): LatencyView {
      const sorted = [...samples].sort((a, b) => a - b)
      return { count, p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99) }
    }
  }
}

/** Nearest rank: a latency that was met, not one between two. */
function percentile(sorted: readonly number[], percent: number): number | null {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null
}
