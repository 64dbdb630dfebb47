import t from 'tap'
import { isBack } from '../../../../gateway/console/web/position-move.ts'

const cases = [
  { when: 'it moves to an older record', from: '10', to: '9', back: true },
  { when: 'it stays', from: '10', to: '10', back: true },
  { when: 'it moves to a newer record', from: '10', to: '11', back: false },
  { when: 'the numbers have not as many digits', from: '9', to: '10', back: false },
  { when: 'there was none: what lies before is passed over', from: null, to: '10', back: false }
]

for (const { when, from, to, back } of cases) {
  t.test(`a position ${back ? 'moves back' : 'does not move back'} when ${when}`, async t => {
    t.equal(isBack({ from, to }), back)
  })
}
