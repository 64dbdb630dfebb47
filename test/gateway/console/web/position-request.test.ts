import t from 'tap'
import { toPositionTo } from '../../../../gateway/console/web/position-request.ts'

const nothing = { time: '', offsets: {} }

const cases = [
  { when: 'the start is meant', input: { ...nothing, target: 'earliest' }, to: 'earliest' },
  { when: 'the end is meant', input: { ...nothing, target: 'latest' }, to: 'latest' },
  { when: 'no time is given', input: { ...nothing, target: 'time' }, to: null },
  {
    when: 'a time is given',
    input: { ...nothing, target: 'time', time: '2026-01-31T12:00:00Z' },
    to: '2026-01-31T12:00:00.000Z'
  },
  { when: 'no offset is given', input: { ...nothing, target: 'offsets', offsets: { 0: ' ' } }, to: null },
  { when: 'one is no offset', input: { ...nothing, target: 'offsets', offsets: { 0: '1', 1: '-1' } }, to: null },
  { when: 'some stay', input: { ...nothing, target: 'offsets', offsets: { 0: ' 42 ', 1: '' } }, to: { 0: '42' } }
] as const
for (const { when, input, to } of cases) {
  t.test(`asks for ${JSON.stringify(to)} when ${when}`, async t => {
    t.strictSame(toPositionTo(input), to)
  })
}
