import t from 'tap'
import { createWindowLimit } from '../../gateway/window-limit.ts'

t.test('says one second of a window of one second, whatever the fraction of the clock', async t => {
  // (1335.5203140684114 + 1000) - 1335.5203140684114 is a little above 1000.
  const take = createWindowLimit({ max: 2, windowMs: 1_000, maxKeys: 10, now: () => 1335.5203140684114 })

  t.strictSame(take('a'), { isAllowed: true, remaining: 1, resetSeconds: 1 })
})
