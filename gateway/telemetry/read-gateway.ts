import type { Registry } from 'prom-client'
import type { Reading } from '../../sdk/telemetry/process-meter.ts'
import { sumMetric } from '../../sdk/telemetry/sum-metric.ts'
import type { MinuteRecorder } from '../minute-stats.ts'
import type { Sampler } from '../sampler.ts'

interface Sources {
  readonly requests: Pick<MinuteRecorder, 'read'>
  readonly sampler: Pick<Sampler, 'snapshot' | 'rateOf'>
  readonly registry: Pick<Registry, 'getSingleMetric'>
}

/** Reads what a gateway tells of itself and of the topics: rates of the last minute, lag, dead letters that wait. */
export async function readGateway({ requests, sampler, registry }: Sources): Promise<Reading[]> {
  const { rate, errorRatio, p99Ms } = requests.read()
  const waiting = await sumMetric(registry, 'smg_dead_letters_waiting')
  const lags = (sampler.snapshot()?.topics ?? []).map(({ topic, lag }) => {
    return { name: 'topic.lag', value: lag, unit: 'records', labels: { topic } }
  })
  return [
    { name: 'http.request.rate', value: rate, unit: 'per second' },
    { name: 'http.error.ratio', value: errorRatio, unit: 'ratio' },
    ...(p99Ms === null ? [] : [{ name: 'http.response.time', value: p99Ms, unit: 'ms', labels: { percentile: '99' } }]),
    { name: 'topics.message.rate', value: sampler.rateOf(), unit: 'per second' },
    ...lags,
    ...(waiting === null ? [] : [{ name: 'dead-letters.waiting', value: waiting, unit: 'records' }])
  ]
}
