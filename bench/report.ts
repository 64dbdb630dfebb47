import type { Contender } from './contenders.ts'
import type { DrainResult } from './drain.ts'

/** A middle value and how far the rounds lie apart. */
interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** What the rounds of one contender came to. */
export interface Summary {
  readonly contender: string
  readonly eventsPerSecond: Spread
  /** CPU microseconds an event, of each process and together. */
  readonly cpu: { readonly self: Spread; readonly postgres: Spread; readonly kafka: Spread; readonly all: Spread }
  readonly maxMemoryBytes: number
  /** Rounds that do not count, and why. */
  readonly voids: readonly string[]
}

/** Sums the rounds of each contender up; a void round counts in none of the figures. */
export function summarise(results: readonly DrainResult[], contenders: readonly Contender[]): Summary[] {
  return contenders.map(({ name }) => {
    const own = results.filter(({ contender }) => contender === name)
    const valid = own.filter(result => result.void === null)
    const spread = (pick: (result: DrainResult) => number) => toSpread(valid.map(pick))
    return {
      contender: name,
      eventsPerSecond: spread(({ eventsPerSecond }) => eventsPerSecond),
      cpu: {
        self: spread(({ cpu }) => cpu.self),
        postgres: spread(({ cpu }) => cpu.postgres),
        kafka: spread(({ cpu }) => cpu.kafka),
        all: spread(({ cpu }) => cpu.self + cpu.postgres + cpu.kafka)
      },
      maxMemoryBytes: Math.max(0, ...valid.map(({ maxMemoryBytes }) => maxMemoryBytes)),
      voids: own.flatMap(result => (result.void === null ? [] : [`round ${result.round}: ${result.void}`]))
    }
  })
}

/** A table for a terminal: rates, CPU by process, and how ours compares; the first summary is ours. */
export function toTable(summaries: readonly Summary[]): string {
  const [ours] = summaries
  const head = [
    '',
    'events/s',
    '(min to max)',
    'µs self',
    'µs PG',
    'µs Kafka',
    'µs all',
    'MB',
    'ours: rate',
    'ours: per CPU s'
  ]
  const rows = summaries.map(summary => {
    const { contender, eventsPerSecond: rate, cpu, maxMemoryBytes } = summary
    const ratios = ours && ours !== summary ? toRatios(ours, summary) : null
    return [
      contender,
      rate.median.toFixed(0),
      `${rate.min.toFixed(0)} to ${rate.max.toFixed(0)}`,
      ...[cpu.self, cpu.postgres, cpu.kafka, cpu.all].map(({ median }) => median.toFixed(1)),
      (maxMemoryBytes / 1024 / 1024).toFixed(0),
      ratios ? `${ratios.rate.toFixed(2)}×` : '',
      ratios ? `${ratios.perCpu.toFixed(2)}×` : ''
    ]
  })
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  const table = lines.map(line => line.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
  const voids = summaries.flatMap(({ contender, voids }) => voids.map(why => `VOID ${contender}, ${why}`))
  return [...table, ...voids].join('\n')
}

/** Ours against another: events a second, and events a second of CPU of everything. */
function toRatios(ours: Summary, other: Summary): { rate: number; perCpu: number } {
  return {
    rate: ours.eventsPerSecond.median / other.eventsPerSecond.median,
    perCpu: other.cpu.all.median / ours.cpu.all.median
  }
}

function toSpread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median =
    sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
  return { median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 }
}
