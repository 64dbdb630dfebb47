import { toDiskText } from '../disk.ts'
import { type DrainResult, summariseDrain, toDrainLine } from '../drain-report.ts'
import { growth } from '../growth.ts'
import { BASE, BASE_NAME, toCauses, toPoints } from '../growth-points.ts'
import { toGrowthChart, toGrowthTable } from '../growth-report.ts'
import { toCount, toCounts } from '../options.ts'
import type { Bench } from '../types.ts'

/** What becomes of our runner's rate and costs when partitions, events, functions or tables grow, one at a time. */
export const growthBench: Bench = {
  options: {
    partitions: { type: 'string', default: '1,3,12,48' },
    bytes: { type: 'string', default: '200,1024,10240' },
    functions: { type: 'string', default: '1,20' },
    rows: { type: 'string', default: '1000,1000000,20000000' },
    events: { type: 'string', default: '100000' },
    megabytes: { type: 'string', default: '100' },
    only: { type: 'string', default: '' },
    cold: { type: 'boolean', default: false }
  },

  async run(servers, values) {
    const points = toPoints(values)
    const results: DrainResult[] = []
    await growth(servers, {
      points,
      rounds: toCount(values, 'rounds'),
      isCold: values.cold === true,
      onResult(result) {
        results.push(result)
        console.log(toDrainLine(result))
      }
    })
    const names = points.map(({ name }) => name)
    const summaries = summariseDrain(results, names)
    const series = toCauses(values).map(cause => ({
      cause,
      values: [...new Set([BASE[cause], ...toCounts(values, cause)])].toSorted((a, b) => a - b)
    }))
    const disk = summaries.flatMap(({ name, diskBytes }) => (name === BASE_NAME ? [toDiskText(diskBytes)] : []))
    return {
      text: [toGrowthTable(summaries, points), ...disk].join('\n'),
      data: { points, summaries, results },
      chart: toGrowthChart(summaries, series),
      isVoid: results.some(result => result.void !== null)
    }
  }
}
