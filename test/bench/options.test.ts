import t from 'tap'
import { toChosen, toCount, toCounts, toNumber } from '../../bench/options.ts'

for (const rounds of ['0', '-1', '1.5', 'three', 'Infinity', undefined]) {
  t.test(`refuses ${rounds} rounds`, async t => {
    t.throws(() => toCount({ rounds }, 'rounds'), { message: /--rounds is .*: it must be a whole number above 0/ })
  })
}

t.test('takes a list of counts, and a fraction where none is counted', async t => {
  t.strictSame(toCounts({ batches: '100,1000' }, 'batches'), [100, 1000])
  t.equal(toNumber({ seconds: '0.5' }, 'seconds'), 0.5)
  t.throws(() => toNumber({ seconds: '0' }, 'seconds'), { message: /--seconds is 0/ })
  t.throws(() => toNumber({ seconds: 'Infinity' }, 'seconds'), { message: /--seconds is Infinity/ })
})

t.test('chooses some names in their order, all without any, and refuses others', async t => {
  const known = ['one', 'two', 'three'] as const

  t.strictSame(toChosen({ only: 'three,one' }, 'only', known), ['one', 'three'])
  t.strictSame(toChosen({ only: '' }, 'only', known), known)
  t.throws(() => toChosen({ only: 'one,four' }, 'only', known), {
    message: '--only is one,four: it must be some of one, two, three'
  })
})
