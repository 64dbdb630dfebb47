import type { EventBytes } from './disk.ts'
import type { Drained } from './measure-drain.ts'
import { MB } from './memory.ts'
import { alignColumns, type Spread, toDigits, toSpread } from './report.ts'

/** What one side did in one round. */
export interface DrainResult extends Drained {
  readonly name: string
  readonly round: number
  readonly diskBytes: EventBytes
}

/** What the rounds of one side came to. */
export interface DrainSummary {
  readonly name: string
  readonly eventsPerSecond: Spread
  /** CPU microseconds an event, of each process and together. */
  readonly cpu: { readonly self: Spread; readonly postgres: Spread; readonly kafka: Spread; readonly all: Spread }
  /** NaN, as all others, when no round counts. */
  readonly maxMemoryBytes: number
  readonly diskBytes: EventBytes
  /** Rounds that do not count, and why. */
  readonly voids: readonly string[]
}

/** Sums the rounds of each side up, in the order of `names`; a void round counts in none of the figures. */
export function summariseDrain(results: readonly DrainResult[], names: readonly string[]): DrainSummary[] {
  return names.map(name => {
    const own = results.filter(result => result.name === name)
    const valid = own.filter(result => result.void === null)
    const spread = (pick: (result: DrainResult) => number) => toSpread(valid.map(pick))
    return {
      name,
      eventsPerSecond: spread(({ eventsPerSecond }) => eventsPerSecond),
      cpu: {
        self: spread(({ cpu }) => cpu.self),
        postgres: spread(({ cpu }) => cpu.postgres),
        kafka: spread(({ cpu }) => cpu.kafka),
        all: spread(({ cpu }) => cpu.self + cpu.postgres + cpu.kafka)
      },
      maxMemoryBytes: valid.length === 0 ? Number.NaN : Math.max(...valid.map(({ maxMemoryBytes }) => maxMemoryBytes)),
      diskBytes: {
        postgres: spread(({ diskBytes }) => diskBytes.postgres).median,
        kafka: spread(({ diskBytes }) => diskBytes.kafka).median
      },
      voids: own.flatMap(result => (result.void === null ? [] : [`round ${result.round}: ${result.void}`]))
    }
  })
}

/** A table for a terminal: rates, CPU by process, and how the one of that name compares with the others. */
export function toDrainTable(summaries: readonly DrainSummary[], name: string): string {
  const ours = summaries.find(summary => summary.name === name)
  const head = [
    '',
    'events/s',
    '(min to max)',
    'µs self',
    'µs PG',
    'µs Kafka',
    'µs all',
    'MB',
    'B on disk',
    'ours: rate',
    'ours: per CPU s'
  ]
  const rows = summaries.map(summary => {
    const { name, eventsPerSecond: rate, cpu, maxMemoryBytes, diskBytes } = summary
    const ratios = ours && ours !== summary ? toRatios(ours, summary) : null
    return [
      name,
      toDigits(rate.median, 0),
      `${toDigits(rate.min, 0)} to ${toDigits(rate.max, 0)}`,
      ...[cpu.self, cpu.postgres, cpu.kafka, cpu.all].map(({ median }) => toDigits(median, 1)),
      toDigits(maxMemoryBytes / MB, 0),
      toDigits(diskBytes.postgres, 0),
      ratios ? toDigits(ratios.rate, 2, '×') : '',
      ratios ? toDigits(ratios.perCpu, 2, '×') : ''
    ]
  })
  return [alignColumns([head, ...rows]), ...toVoidLines(summaries)].join('\n')
}

/** A line for each round that does not count. */
export function toVoidLines(summaries: readonly DrainSummary[]): string[] {
  return summaries.flatMap(({ name, voids }) => voids.map(why => `VOID ${name}, ${why}`))
}

/** One line a round, as it ends. */
export function toDrainLine({ name, round, eventsPerSecond, cpu, void: why }: DrainResult): string {
  if (why !== null) return `round ${round}, ${name}: VOID: ${why}`
  const all = cpu.self + cpu.postgres + cpu.kafka
  return `round ${round}, ${name}: ${eventsPerSecond.toFixed(0)} events/s, ${all.toFixed(1)} µs of CPU an event`
}

/** What the guarantee costs, round by round: two runs of a round are neighbours. Empty when one of both is missing. */
export function toGuaranteeLines(results: readonly DrainResult[], [guarded, unguarded]: readonly string[]): string[] {
  const valid = results.filter(result => result.void === null)
  const pairs = valid.flatMap(one => {
    const other = valid.find(({ name, round }) => name === unguarded && round === one.round)
    return one.name === guarded && other ? [{ one, other }] : []
  })
  if (pairs.length === 0) return []
  const cpuOf = ({ cpu }: DrainResult) => cpu.self + cpu.postgres + cpu.kafka
  const cpu = toSpread(pairs.map(({ one, other }) => (cpuOf(one) / cpuOf(other) - 1) * 100))
  const rate = toSpread(pairs.map(({ one, other }) => (1 - one.eventsPerSecond / other.eventsPerSecond) * 100))
  const toText = ({ median, min, max }: Spread) =>
    `${median.toFixed(1)} % (${min.toFixed(1)} to ${max.toFixed(1)} in ${pairs.length} rounds)`
  return [`the guarantee costs ${toText(rate)} of the rate, and ${toText(cpu)} more CPU an event`]
}

/** Ours against another: events a second, and events a second of CPU of everything. */
function toRatios(ours: DrainSummary, other: DrainSummary): { rate: number; perCpu: number } {
  return {
    rate: ours.eventsPerSecond.median / other.eventsPerSecond.median,
    perCpu: other.cpu.all.median / ours.cpu.all.median
  }
}
