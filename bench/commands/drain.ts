import { contenders } from '../contenders.ts'
import { type DrainResult, drain } from '../drain.ts'
import { summariseDrain, toDrainTable } from '../drain-report.ts'
import { toCount } from '../options.ts'
import type { Bench } from '../types.ts'

/** Topic into tables: our runner beside consumers by hand. */
export const drainBench: Bench = {
  options: {
    events: { type: 'string', default: '100000' },
    only: { type: 'string', default: '' }
  },

  async run(servers, values) {
    const only = String(values.only).split(',').filter(Boolean)
    const chosen = contenders.filter(({ name }) => only.length === 0 || only.includes(name))
    const results: DrainResult[] = []

    await drain(servers, {
      events: toCount(values, 'events'),
      rounds: toCount(values, 'rounds'),
      contenders: chosen,
      onResult(result) {
        results.push(result)
        const { contender, round, eventsPerSecond } = result
        console.log(`round ${round}, ${contender}: ${eventsPerSecond.toFixed(0)} events/s${result.void ? ' VOID' : ''}`)
      }
    })
    const summaries = summariseDrain(results, chosen)
    return {
      text: toDrainTable(summaries),
      data: { summaries, results },
      isVoid: results.some(result => result.void !== null)
    }
  }
}
