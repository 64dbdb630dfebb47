import t from 'tap'
import { findWaitSeconds } from '../../gateway/prefer-wait.ts'

const cases = [
  { prefer: undefined, seconds: null },
  { prefer: '', seconds: null },
  { prefer: 'respond-async', seconds: null },
  { prefer: 'wait=5', seconds: 5 },
  { prefer: 'WAIT = "5" ; x=y', seconds: 5 },
  { prefer: 'respond-async, wait=0', seconds: 0 },
  { prefer: 'wait=7, wait=9', seconds: 7 },
  { prefer: 'wait=31', seconds: 30 },
  { prefer: 'wait=999999999', seconds: 30 },
  { prefer: 'wait=-1', seconds: null },
  { prefer: 'wait=1.5', seconds: null },
  { prefer: 'wait', seconds: null },
  { prefer: 'waits=5', seconds: null }
]
for (const { prefer, seconds } of cases) {
  t.test(`reads ${seconds} seconds from ${prefer}`, async t => {
    t.equal(findWaitSeconds(prefer), seconds)
  })
}
