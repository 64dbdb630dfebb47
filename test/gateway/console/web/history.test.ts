import t from 'tap'
import { toColumns } from '../../../../gateway/console/web/history.ts'
import type { Sample } from '../../../../gateway/console/web/shapes.ts'

const sample: Sample = {
  at: '2026-01-31T12:00:00.000Z',
  messageRate: 5,
  settledRate: null,
  deadLetterRate: 0,
  lag: 7,
  lagSeconds: 1,
  requestRate: 2,
  errorRate: 0,
  responseTime: 3,
  responseTimeP99: 4,
  queryLatency: 1
}

t.test('gives a column a member, null where nothing is known', async t => {
  const { lag, ...older } = sample
  const columns = toColumns([sample, { ...(older as Sample), at: '2026-01-31T12:00:03.000Z' }])

  t.strictSame(columns.times, [1_769_860_800, 1_769_860_803])
  t.strictSame(columns.lag, [lag, null], 'also where a gateway does not know the member')
  t.strictSame(columns.settledRate, [null, null])
})

t.test('draws the newest 1,200 at most, and none without a time', async t => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 31) + second * 1000).toISOString()
  const items = Array.from({ length: 1_500 }, (_, second) => ({ ...sample, at: at(second), lag: second }))

  const { times, lag } = toColumns([...items, { ...sample, at: 'soon' }])

  t.equal(times.length, 1_199)
  t.equal(lag.length, times.length)
  t.equal(lag.at(-1), 1_499)
})
