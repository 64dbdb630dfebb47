import { alignColumns, type Summary, toDigits } from '../report.ts'
import { type Knob, toName } from './knobs.ts'

/** A table for a terminal: a line a value, a column a figure, its median. */
export function toKnobTable(knobs: readonly Knob[], summaries: readonly Summary[]): string {
  const figures = [...new Set(summaries.flatMap(summary => Object.keys(summary.figures)))]
  const byName = new Map(summaries.map(summary => [summary.name, summary]))
  const lines = knobs.flatMap(knob =>
    knob.values.map(value => {
      const medians = byName.get(toName(knob, value))?.figures ?? {}
      const isDefault = value === knob.defaultValue ? 'default' : ''
      return [knob.name, value, isDefault, ...figures.map(figure => toText(medians[figure]?.median))]
    })
  )
  const voids = summaries.flatMap(({ name, voids }) => voids.map(why => `VOID ${name}, ${why}`))
  return [alignColumns([['knob', 'value', '', ...figures], ...lines]), ...voids].join('\n')
}

/** Empty for what is not measured of a knob. */
function toText(median: number | undefined): string {
  return median === undefined ? '' : toDigits(median, median >= 100 ? 0 : 1)
}
