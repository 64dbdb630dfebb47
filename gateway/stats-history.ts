import type { Sampler } from './sampler.ts'
import { rateBetween, type Sample } from './samples.ts'

/** Gives what the sampler remembers, the oldest first: rates and times of each step; what was not seen is null. */
export function toHistory({ samples, intervalMs }: Pick<Sampler, 'samples' | 'intervalMs'>) {
  const all = samples()
  const items = all.map((sample, index) => toItem(sample, all[index - 1]))
  return { stepSeconds: intervalMs / 1000, items }
}

function toItem(sample: Sample, before: Sample | undefined) {
  const { atMs, lag, lagSeconds, requests, queries } = sample
  return {
    at: new Date(atMs).toISOString(),
    messageRate: rateBetween('written', before, sample),
    settledRate: rateBetween('settled', before, sample),
    deadLetterRate: rateBetween('deadLetters', before, sample),
    lag,
    lagSeconds,
    requestRate: requests.rate,
    errorRate: requests.errorRatio,
    responseTime: requests.meanMs,
    responseTimeP99: requests.p99Ms,
    queryLatency: queries.meanMs
  }
}
