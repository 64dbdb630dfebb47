import t from 'tap'
import { createMinuteStats } from '../../gateway/minute-stats.ts'

t.test('measures the last whole seconds, without the one that runs', async t => {
  let nowMs = 100_000
  const stats = createMinuteStats(() => nowMs)
  const record = (second: number, count: number, isError = false) => {
    for (let index = 0; index < count; index += 1) stats.record({ atMs: second * 1000, durationMs: 10, isError })
  }
  nowMs = 110_500
  record(106, 50)
  record(107, 3)
  record(108, 0)
  record(109, 6, true)
  record(110, 70)

  t.match(stats.readLast(3), { rate: 3, meanMs: 10, errorRatio: 2 / 3 })
  t.match(stats.readLast(1), { rate: 6, errorRatio: 1 })
  t.match(stats.readLast(0), { rate: 6 }, 'one at least')
  nowMs = 120_000
  t.match(stats.readLast(3), { rate: 0, meanMs: null, p99Ms: null, errorRatio: 0 })
})
