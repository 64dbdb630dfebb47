import t from 'tap'
import { parseKnobs, toName } from '../../bench/knobs/knobs.ts'
import { toKnobTable } from '../../bench/knobs/table.ts'
import type { Summary } from '../../bench/report.ts'

t.test('measures every knob with its default first', async t => {
  for (const { name, values, defaultValue } of parseKnobs('')) {
    t.equal(values[0], defaultValue, name)
    t.equal(new Set(values).size, values.length, `${name} has no value twice`)
    t.ok(values.length > 1, `${name} is compared with something`)
  }
})

t.test('takes some knobs, with values of their own or without', async t => {
  const [lanes, wait] = parseKnobs('PRODUCER_LANES=8,4,2 CONSUMER_MAX_WAIT_MS')

  t.match(lanes, { name: 'PRODUCER_LANES', way: 'produce', values: ['4', '8', '2'] })
  t.match(wait, { name: 'CONSUMER_MAX_WAIT_MS', way: 'idle', defaultValue: '500' })
})

t.test('refuses a knob that is none', async t => {
  t.throws(() => parseKnobs('PRODUCER_LANE=8'), { message: /PRODUCER_LANE is none of PRODUCER_LINGER_MS, / })
})

t.test('gives a line a value, and says what does not count', async t => {
  const knobs = parseKnobs('PRODUCER_LANES=1')
  const [one, other] = knobs.flatMap(knob => knob.values.map(value => toName(knob, value)))
  const spread = (median: number) => ({ median, min: median, max: median })
  const summaries: Summary[] = [
    { name: String(one), figures: { 'p50 ms': spread(1.25), 'events/s': spread(4_321) }, voids: [] },
    { name: String(other), figures: { 'p50 ms': spread(9) }, voids: ['round 1: lost'] }
  ]

  t.equal(
    toKnobTable(knobs, summaries),
    [
      '          knob  value           p50 ms  events/s',
      'PRODUCER_LANES      4  default     1.3      4321',
      'PRODUCER_LANES      1              9.0          ',
      'VOID PRODUCER_LANES=1, round 1: lost'
    ].join('\n')
  )
})
