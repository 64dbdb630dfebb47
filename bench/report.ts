/** A middle value and how far the rounds lie apart; NaN where there was no round. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** What one round of one side came to. */
export interface Measurement {
  readonly name: string
  readonly round: number
  /** By what they are, with their unit: `events/s`, `p99 ms`, `µs gateway`. One that nobody knows is left out. */
  readonly figures: Readonly<Record<string, number>>
  /** Why it does not count; null when it does. */
  readonly void: string | null
}

/** What the rounds of one side came to. */
export interface Summary {
  readonly name: string
  /** Each of those rounds that have it. */
  readonly figures: Readonly<Record<string, Spread>>
  /** Rounds that do not count, and why. */
  readonly voids: readonly string[]
}

/** Sums the rounds of each name up, in the order in which they came first; a void round counts in none of the figures. */
export function summarise(measurements: readonly Measurement[]): Summary[] {
  return [...new Set(measurements.map(({ name }) => name))].map(name => {
    const own = measurements.filter(measurement => measurement.name === name)
    const valid = own.filter(measurement => measurement.void === null)
    const names = new Set(valid.flatMap(({ figures }) => Object.keys(figures)))
    const figures = [...names].map(figure => {
      return [figure, toSpread(valid.flatMap(({ figures }) => figures[figure] ?? []))] as const
    })
    const voids = own.flatMap(({ round, void: why }) => (why === null ? [] : [`round ${round}: ${why}`]))
    return { name, figures: Object.fromEntries(figures), voids }
  })
}

/** A table for a terminal: a line a figure, a column a name; the spread stands behind the median where there is one. */
export function toTable(summaries: readonly Summary[]): string {
  const heads = [...new Set(summaries.flatMap(({ figures }) => Object.keys(figures)))]
  const lines = heads.map(head => [head, ...summaries.map(({ figures }) => toCell(figures[head]))])
  const voids = summaries.flatMap(({ name, voids }) => voids.map(why => `VOID ${name}, ${why}`))
  return [alignColumns([['', ...summaries.map(({ name }) => name)], ...lines]), ...voids].join('\n')
}

/**
 * How often one name's figure goes into another's, round by round, for a line below a table: two runs of a round are
 * neighbours, and what disturbs the machine mostly disturbs both. A dash without a round in which both count.
 */
export function toRatio(
  measurements: readonly Measurement[],
  figure: string,
  [one, other]: readonly [name: string, name: string]
): string {
  const valid = measurements.filter(measurement => measurement.void === null)
  const ratios = valid.flatMap(({ name, round, figures }) => {
    const beside = valid.find(measurement => measurement.name === other && measurement.round === round)
    const [over, under] = [figures[figure], beside?.figures[figure]]
    return name === one && over !== undefined && under ? [over / under] : []
  })
  return `${figure}: ${one} / ${other} = ${toCell(ratios.length === 0 ? undefined : toSpread(ratios))}`
}

/** One line a round, as it ends. */
export function toLine({ name, round, figures, void: why }: Measurement): string {
  const texts = Object.entries(figures).map(([figure, value]) => `${figure} ${toNumberText(value)}`)
  return `round ${round}, ${name}: ${texts.join(', ')}${why === null ? '' : ` VOID: ${why}`}`
}

/** Stands where nobody knows a figure. */
const NONE = '–'

/** Lines of cells as text, each column as wide as its widest cell. */
export function alignColumns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  return lines.map(line => line.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ')).join('\n')
}

/** Median, least and most; NaN without a number. */
export function toSpread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2
  return { median, min: at(0), max: at(sorted.length - 1) }
}

function toCell(spread: Spread | undefined): string {
  if (!spread) return NONE
  const { median, min, max } = spread
  const middle = toNumberText(median)
  return min === max || Number.isNaN(median) ? middle : `${middle} (${toNumberText(min)} to ${toNumberText(max)})`
}

function toNumberText(value: number): string {
  return toDigits(value, value >= 100 ? 0 : value >= 10 ? 1 : 2)
}

/** A number with so many digits behind the point; a dash alone for NaN. */
export function toDigits(value: number, digits: number, unit = ''): string {
  return Number.isNaN(value) ? NONE : `${value.toFixed(digits)}${unit}`
}

/** Figures under other names, by new name; one that is not there is left out. */
export function pickFigures(
  figures: Measurement['figures'],
  names: Readonly<Record<string, string>>
): Record<string, number> {
  const picked = Object.entries(names).flatMap(([name, from]) => {
    const figure = figures[from]
    return figure === undefined ? [] : [[name, figure] as const]
  })
  return Object.fromEntries(picked)
}
