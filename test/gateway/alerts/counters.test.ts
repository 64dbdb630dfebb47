import t from 'tap'
import { createBrokerSights } from '../../../gateway/alerts/broker-sights.ts'
import { createIncreases } from '../../../gateway/alerts/increases.ts'
import { createRecentCounts } from '../../../gateway/alerts/recent-counts.ts'

const HOUR_MS = 3_600_000

t.test('increases of a counter', async t => {
  t.test('are what it rose by within the window', async t => {
    let nowMs = 0
    const { add } = createIncreases(HOUR_MS, () => nowMs)

    t.match(add('a', 1_000), { increase: 0, isWhole: false })
    nowMs = HOUR_MS / 2
    t.match(add('a', 1_005), { increase: 5, isWhole: false })
    nowMs = HOUR_MS
    t.match(add('a', 1_005), { increase: 5, isWhole: true })
    nowMs = 1.5 * HOUR_MS
    t.match(add('a', 1_005), { increase: 0, isWhole: true })
  })

  t.test('are kept apart, and begin anew with a counter that fell', async t => {
    const { add } = createIncreases(HOUR_MS, () => 0)

    add('a', 10)
    add('b', 100)

    t.equal(add('a', 12).increase, 2)
    t.equal(add('b', 5).increase, 0)
    t.equal(add('b', 7).increase, 2)
  })
})

t.test('counts of a gateway are those of the last five minutes', async t => {
  let nowMs = 1_000_000
  const counts = createRecentCounts(() => nowMs)

  counts.countAnswer(200)
  counts.countAnswer(503)
  counts.countDatabaseFailure()
  t.strictSame(counts.read(), [[0, 2, 1, 1]])

  nowMs += 305_000
  counts.countAnswer(499)
  t.strictSame(counts.read(), [
    [5_000, 1, 0, 0],
    [305_000, 2, 1, 1]
  ])
  nowMs += 10_000
  t.strictSame(counts.read(), [[15_000, 1, 0, 0]])
})

t.test('a broker is missed when it holds replicas, or answered within the last day', async t => {
  let nowMs = 0
  const brokers = createBrokerSights(() => nowMs)

  t.strictSame([...brokers.see([], [])], [])
  t.strictSame(
    [...brokers.see([2, 1], [1, 3])],
    [
      [1, true],
      [2, true],
      [3, false]
    ]
  )
  nowMs = 24 * HOUR_MS
  t.strictSame(
    [...brokers.see([1], [])],
    [
      [1, true],
      [2, false]
    ]
  )
  nowMs += 1
  t.strictSame([...brokers.see([1], [])], [[1, true]])
})
