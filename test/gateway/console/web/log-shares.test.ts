import t from 'tap'
import { toShares } from '../../../../gateway/console/web/log-shares.ts'

const cases = [
  { when: 'the log is empty', log: ['7', '7', '7'], settled: 1 },
  { when: 'nothing was read', log: ['0', '10', null], settled: 0 },
  { when: 'half is read', log: ['10', '20', '15'], settled: 0.5 },
  { when: 'all is read', log: ['10', '20', '20'], settled: 1 },
  { when: 'retention removed what was to be read', log: ['10', '20', '5'], settled: 0 },
  { when: 'the topic was cut behind the position', log: ['0', '20', '25'], settled: 1 },
  {
    when: 'offsets do not fit a number',
    log: ['9007199254740993', '9007199254741003', '9007199254740994'],
    settled: 0.1
  }
] as const
for (const { when, log, settled } of cases) {
  t.test(`gives ${settled} when ${when}`, async t => {
    const [logStartOffset, logEndOffset, nextOffset] = log

    t.equal(toShares({ logStartOffset, logEndOffset, nextOffset }).settled, settled)
  })
}
