import { toCount, toNumber } from '../options.ts'
import type { Bench } from '../types.ts'
import { offerInTurn } from './chain.ts'

/** How long an event takes at a moderate rate, from POST to row. */
export const latencyBench: Bench = {
  options: {
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    cold: { type: 'boolean', default: false }
  },

  run(servers, values) {
    const way = { name: 'single', eventsPerSecond: toNumber(values, 'rate'), batch: 1 }
    const load = {
      seconds: toNumber(values, 'seconds'),
      rounds: toCount(values, 'rounds'),
      isCold: values.cold === true
    }
    return offerInTurn(servers, [way], load)
  }
}
