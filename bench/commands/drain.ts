import { contenders, OURS, UNGUARDED } from '../contenders.ts'
import { toDiskText } from '../disk.ts'
import { drain } from '../drain.ts'
import { toDrainChart } from '../drain-chart.ts'
import { type DrainResult, summariseDrain, toDrainLine, toDrainTable, toGuaranteeLines } from '../drain-report.ts'
import { toChosen, toCount } from '../options.ts'
import type { Bench } from '../types.ts'

/** Topic into tables: our runner beside consumers by hand. */
export const drainBench: Bench = {
  options: {
    events: { type: 'string', default: '100000' },
    only: { type: 'string', default: '' },
    cold: { type: 'boolean', default: false }
  },

  async run(servers, values) {
    const names = toChosen(
      values,
      'only',
      contenders.map(({ name }) => name)
    )
    const chosen = contenders.filter(({ name }) => names.includes(name))
    const results: DrainResult[] = []

    await drain(servers, {
      events: toCount(values, 'events'),
      rounds: toCount(values, 'rounds'),
      isCold: values.cold === true,
      contenders: chosen,
      onResult(result) {
        results.push(result)
        console.log(toDrainLine(result))
      }
    })
    const summaries = summariseDrain(results, names)
    const disk = summaries.flatMap(({ name, diskBytes }) => (name === OURS ? [toDiskText(diskBytes)] : []))
    return {
      text: [toDrainTable(summaries, OURS), ...toGuaranteeLines(results, [OURS, UNGUARDED]), ...disk].join('\n'),
      data: { summaries, results },
      chart: toDrainChart(summaries, chosen),
      isVoid: results.some(result => result.void !== null)
    }
  }
}
