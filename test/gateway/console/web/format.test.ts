import t from 'tap'
import {
  toBytes,
  toCount,
  toDuration,
  toMs,
  toPercent,
  toRate,
  toRelative,
  toUnit
} from '../../../../gateway/console/web/format.ts'

const texts: readonly [given: string, text: string, wanted: string][] = [
  ['a count', toCount(12_345), '12,345'],
  ['an offset beyond 2^53', toCount('9223372036854775807'), '9,223,372,036,854,775,807'],
  ['no rate', toRate(0), '0'],
  ['a rate near zero', toRate(0.004), '<0.01'],
  ['a small rate', toRate(0.256), '0.26'],
  ['a rate', toRate(5_120.4), '5,120'],
  ['no bytes', toBytes(0), '0 B'],
  ['bytes', toBytes(999), '999 B'],
  ['megabytes', toBytes(1_500_000), '1.5 MB'],
  ['a great many bytes', toBytes(2.5e18), '2500 PB'],
  ['a fraction of a millisecond', toMs(0.42), '0.4 ms'],
  ['milliseconds', toMs(84.6), '85 ms'],
  ['a second and more', toMs(1_234), '1.2 s'],
  ['a minute in ms', toMs(61_000), '1 min 1 s'],
  ['no time', toDuration(0), '0 s'],
  ['hours', toDuration(18_120), '5 h 2 min'],
  ['whole days', toDuration(604_800), '7 d'],
  ['a day and some seconds', toDuration(86_405), '1 d'],
  ['no share', toPercent(0), '0 %'],
  ['a small share', toPercent(0.0004), '0.04 %'],
  ['a share', toPercent(0.042), '4.2 %'],
  ['the whole', toPercent(1), '100 %'],
  ['this moment', toRelative(1_000, 2_000), 'now'],
  ['a while ago', toRelative(0, 3_720_000), '1 h ago'],
  ['what is to come', toRelative(300_000, 0), 'in 5 min'],
  ['a ratio of an alert', toUnit(0.05, 'ratio'), '5.0 %'],
  ['seconds of an alert', toUnit(90, 'seconds'), '1 min 30 s'],
  ['records of an alert', toUnit(10_000, 'records'), '10,000 records']
]
for (const [given, text, wanted] of texts) t.test(`writes ${given}`, async t => t.equal(text, wanted))
