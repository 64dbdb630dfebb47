import type { Contender } from './contenders.ts'
import type { DrainResult } from './drain.ts'
import { alignColumns, type Spread, toSpread } from './report.ts'

/** What the rounds of one contender came to. */
export interface DrainSummary {
  readonly contender: string
  readonly eventsPerSecond: Spread
  /** CPU microseconds an event, of each process and together. */
  readonly cpu: { readonly self: Spread; readonly postgres: Spread; readonly kafka: Spread; readonly all: Spread }
  readonly maxMemoryBytes: number
  /** Rounds that do not count, and why. */
  readonly voids: readonly string[]
}

/** Sums the rounds of each contender up; a void round counts in none of the figures. */
export function summariseDrain(results: readonly DrainResult[], contenders: readonly Contender[]): DrainSummary[] {
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
export function toDrainTable(summaries: readonly DrainSummary[]): string {
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
  const voids = summaries.flatMap(({ contender, voids }) => voids.map(why => `VOID ${contender}, ${why}`))
  return [alignColumns([head, ...rows]), ...voids].join('\n')
}

/** Ours against another: events a second, and events a second of CPU of everything. */
function toRatios(ours: DrainSummary, other: DrainSummary): { rate: number; perCpu: number } {
  return {
    rate: ours.eventsPerSecond.median / other.eventsPerSecond.median,
    perCpu: other.cpu.all.median / ours.cpu.all.median
  }
}
