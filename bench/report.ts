/** A middle value and how far the rounds lie apart. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** What one round of one side came to. */
export interface Measurement {
  readonly name: string
  readonly round: number
  /** By what they are, with their unit: `events/s`, `p99 ms`, `µs gateway`. */
  readonly figures: Readonly<Record<string, number>>
  /** Why it does not count; null when it does. */
  readonly void: string | null
}

/** What the rounds of one side came to. */
export interface Summary {
  readonly name: string
  readonly figures: Readonly<Record<string, Spread>>
  /** Rounds that do not count, and why. */
  readonly voids: readonly string[]
}

/** Sums the rounds of each name up, in the order in which they came first; a void round counts in none of the figures. */
export function summarise(measurements: readonly Measurement[]): Summary[] {
  return [...new Set(measurements.map(({ name }) => name))].map(name => {
    const own = measurements.filter(measurement => measurement.name === name)
    const valid = own.filter(measurement => measurement.void === null)
    const figures = Object.keys(own[0]?.figures ?? {}).map(figure => {
      return [figure, toSpread(valid.map(({ figures }) => figures[figure] ?? 0))] as const
    })
    const voids = own.flatMap(({ round, void: why }) => (why === null ? [] : [`round ${round}: ${why}`]))
    return { name, figures: Object.fromEntries(figures), voids }
  })
}

/** A table for a terminal: a line a figure, a column a name; the spread stands behind the median where there is one. */
export function toTable(summaries: readonly Summary[]): string {
  const heads = [...new Set(summaries.flatMap(({ figures }) => Object.keys(figures)))]
  const lines = heads.map(head => [
    head,
    ...summaries.map(({ figures }) => (figures[head] ? toCell(figures[head]) : ''))
  ])
  const voids = summaries.flatMap(({ name, voids }) => voids.map(why => `VOID ${name}, ${why}`))
  return [alignColumns([['', ...summaries.map(({ name }) => name)], ...lines]), ...voids].join('\n')
}

/**
 * How often one name's figure goes into another's, round by round, for a line below a table: two runs of a round are
 * neighbours, and what disturbs the machine mostly disturbs both.
 */
export function toRatio(
  measurements: readonly Measurement[],
  figure: string,
  [one, other]: readonly [name: string, name: string]
): string {
  const valid = measurements.filter(measurement => measurement.void === null)
  const ratios = valid.flatMap(({ name, round, figures }) => {
    const beside = valid.find(measurement => measurement.name === other && measurement.round === round)
    return name === one && beside ? [(figures[figure] ?? 0) / (beside.figures[figure] ?? 0)] : []
  })
  return `${figure}: ${one} / ${other} = ${toCell(toSpread(ratios))}`
}

/** One line a round, as it ends. */
export function toLine({ name, round, figures, void: why }: Measurement): string {
  const texts = Object.entries(figures).map(([figure, value]) => `${figure} ${toNumberText(value)}`)
  return `round ${round}, ${name}: ${texts.join(', ')}${why === null ? '' : ` VOID: ${why}`}`
}

/** Lines of cells as text, each column as wide as its widest cell. */
export function alignColumns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  return lines.map(line => line.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ')).join('\n')
}

/** Median, least and most; all 0 without a number. */
export function toSpread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median =
    sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
  return { median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 }
}

function toCell({ median, min, max }: Spread): string {
  const middle = toNumberText(median)
  return min === max ? middle : `${middle} (${toNumberText(min)} to ${toNumberText(max)})`
}

function toNumberText(value: number): string {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)
}
