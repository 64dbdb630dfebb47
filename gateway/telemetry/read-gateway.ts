import type { Reading } from '../../sdk/telemetry/process-meter.ts'
import type { DatabaseDetails } from '../database-details.ts'
import type { MinuteRecorder } from '../minute-stats.ts'
import type { Sampler, Snapshot } from '../sampler.ts'

interface Sources {
  readonly requests: Pick<MinuteRecorder, 'read'>
  readonly sampler: Pick<Sampler, 'rateOf'> & { snapshot(): Pick<Snapshot, 'topics' | 'database'> }
}

/** Reads what a gateway tells of itself and of the topics: rates of the last minute, lag, dead letters that wait. */
export function readGateway({ requests, sampler }: Sources): Reading[] {
  const { rate, errorRatio, p99Ms } = requests.read()
  const { topics, database } = sampler.snapshot()
  const { deadLetters } = database
  const lags = topics.map(({ topic, lag }) => ({ name: 'topic.lag', value: lag, unit: 'records', labels: { topic } }))
  return [
    { name: 'http.request.rate', value: rate, unit: 'per second' },
    { name: 'http.error.ratio', value: errorRatio, unit: 'ratio' },
    ...(p99Ms === null ? [] : [{ name: 'http.response.time', value: p99Ms, unit: 'ms', labels: { percentile: '99' } }]),
    { name: 'topics.message.rate', value: sampler.rateOf(), unit: 'per second' },
    ...lags,
    ...(deadLetters ? [{ name: 'dead-letters.waiting', value: countWaiting(deadLetters), unit: 'records' }] : [])
  ]
}

function countWaiting(deadLetters: NonNullable<DatabaseDetails['deadLetters']>): number {
  return [...deadLetters.values()].reduce((sum, { waiting }) => sum + waiting, 0)
}
