import t from 'tap'
import { findCaughtUp, findRecovery, toSeconds } from '../../bench/chain/recovery.ts'

const START_MS = 5_000
const sent = (dueMs: number, tookMs: number | null) => ({
  dueMs: START_MS + dueMs,
  answeredMs: START_MS + dueMs,
  visibleMs: tookMs === null ? null : START_MS + dueMs + tookMs
})

t.test('sorts events by the second in which they were due', async t => {
  const seconds = toSeconds([sent(2_500, 7), sent(0, 1), sent(999, 3), sent(2_000, null)], START_MS)

  t.strictSame(seconds, [
    { second: 0, events: 2, p50Ms: 1, p99Ms: 3 },
    { second: 2, events: 2, p50Ms: 7, p99Ms: Number.POSITIVE_INFINITY }
  ])
})

const loads = [
  { when: 'nothing was late', p99Ms: [5, 5], recovered: 0 },
  { when: 'one second is late again', p99Ms: [5, 900, 5, 100, 99], recovered: 4 },
  { when: 'the last second is late', p99Ms: [5, 900, 5, 100], recovered: null }
]

for (const { when, p99Ms, recovered } of loads) {
  t.test(`finds the second from which on nothing is late when ${when}`, async t => {
    const seconds = p99Ms.map((late, second) => ({ second, events: 1, p50Ms: 1, p99Ms: late }))

    t.equal(findRecovery(seconds, 100), recovered)
  })
}

t.test('has caught up with the first second that is in time, also when a later one is not', async t => {
  const seconds = [5, 9_000, 8_000, 900, 3_000].map((p99Ms, second) => ({ second, events: 1, p50Ms: 1, p99Ms }))

  t.equal(findCaughtUp(seconds, 1, 1_000), 3)
  t.equal(findCaughtUp(seconds, 4, 1_000), null)
})
