import t from 'tap'
import { type DrainResult, summariseDrain, toDrainTable } from '../../bench/drain-report.ts'
import { type Measurement, pickFigures, summarise, toRatio, toTable } from '../../bench/report.ts'

function measured(name: string, round: number, figures: Measurement['figures'], why: string | null = null) {
  return { name, round, figures, void: why }
}

t.test('a round that is void counts nowhere, and no figure of it is asked for', async t => {
  const measurements = [measured('one', 1, { lost: 1 }, 'gone'), measured('one', 2, { rate: 4 })]

  t.strictSame(summarise(measurements), [
    { name: 'one', figures: { rate: { median: 4, min: 4, max: 4 } }, voids: ['round 1: gone'] }
  ])
})

t.test('a figure that a round has not is none of it, and not 0', async t => {
  const measurements = [measured('one', 1, { rate: 4 }), measured('one', 2, { rate: 6, late: 3 })]

  t.match(summarise(measurements), [{ figures: { rate: { median: 5, min: 4 }, late: { median: 3, min: 3 } } }])
})

t.test('prints a dash where nobody knows a figure', async t => {
  const summaries = summarise([measured('one', 1, { rate: 4 }), measured('other', 1, {}, 'gone')])

  t.equal(toTable(summaries), '       one  other\nrate  4.00      –\nVOID other, round 1: gone')
})

const ratios = [
  { when: 'both count', other: measured('other', 1, { rate: 2 }), finds: 'rate: one / other = 2.00' },
  { when: 'one is void', other: measured('other', 1, { rate: 2 }, 'gone'), finds: 'rate: one / other = –' },
  { when: 'one has not the figure', other: measured('other', 1, {}), finds: 'rate: one / other = –' },
  { when: 'they are of two rounds', other: measured('other', 2, { rate: 2 }), finds: 'rate: one / other = –' }
]

for (const { when, other, finds } of ratios) {
  t.test(`gives a ratio of neighbours, or none, when ${when}`, async t => {
    t.equal(toRatio([measured('one', 1, { rate: 4 }), other], 'rate', ['one', 'other']), finds)
  })
}

t.test('picks the figures that are there', async t => {
  t.strictSame(pickFigures({ 'visible p50 ms': 1 }, { 'p50 ms': 'visible p50 ms', MB: 'RSS MB' }), { 'p50 ms': 1 })
})

t.test('a contender without a round that counts has dashes, and no ratio', async t => {
  const result: DrainResult = {
    ...{ name: 'ours', round: 1, eventsPerSecond: 100, maxMemoryBytes: 1024 * 1024, void: null },
    cpu: { self: 1, postgres: 2, kafka: 3 },
    diskBytes: { postgres: 4, kafka: 5 }
  }
  const summaries = summariseDrain([result, { ...result, name: 'theirs', void: 'gone' }], ['theirs', 'ours'])

  const [, theirs, ours, why] = toDrainTable(summaries, 'ours').split('\n')

  t.match(ours, /ours +100 +100 to 100 +1\.0 +2\.0 +3\.0 +6\.0 +1 +4 */)
  t.match(theirs, /theirs +– +– to – +– +– +– +– +– +– +– +–$/)
  t.equal(why, 'VOID theirs, round 1: gone')
})
