import t from 'tap'
import { addPoint, EMPTY_TRAIL } from '../../../../gateway/console/web/trail.ts'

t.test('keeps the newest points, and never more than it was told', async t => {
  let trail = EMPTY_TRAIL
  for (let second = 1; second <= 1_000; second += 1) trail = addPoint(trail, second * 1000, [second, null], 3)

  t.strictSame(trail, {
    times: [998, 999, 1_000],
    series: [
      [998, 999, 1_000],
      [null, null, null]
    ]
  })
})

t.test('a clock that was set back adds nothing', async t => {
  const trail = addPoint(EMPTY_TRAIL, 5_000, [1], 3)

  t.equal(addPoint(trail, 5_000, [2], 3), trail)
  t.equal(addPoint(trail, 4_000, [2], 3), trail)
})
