import { toCpuChart, toDrainBar } from './drain-chart.ts'
import { type DrainSummary, toVoidLines } from './drain-report.ts'
import { BASE_NAME, type Cause, type Point, toPointName } from './growth-points.ts'
import { MB } from './memory.ts'
import { alignColumns, toDigits } from './report.ts'

/** What was measured of one cause: its values, upwards. */
export interface Series {
  readonly cause: Cause
  readonly values: readonly number[]
}

const TITLES: Readonly<Record<Cause, string>> = {
  partitions: 'Partitions of the topic',
  bytes: 'Bytes of an event',
  functions: 'Functions in one runner, each with a topic',
  rows: 'Rows in both tables before'
}

/** A table for a terminal: a line a point, and how much of the base's CPU it takes. */
export function toGrowthTable(summaries: readonly DrainSummary[], points: readonly Point[]): string {
  const base = summaries.find(({ name }) => name === BASE_NAME)
  const head = ['', 'events', 'events/s', '(min to max)', 'µs runner', 'µs PG', 'µs Kafka', 'µs all', 'of base', 'MB']
  const rows = summaries.map(({ name, eventsPerSecond: rate, cpu, maxMemoryBytes, diskBytes }) => [
    name,
    String(points.find(point => point.name === name)?.events ?? ''),
    toDigits(rate.median, 0),
    `${toDigits(rate.min, 0)} to ${toDigits(rate.max, 0)}`,
    ...[cpu.self, cpu.postgres, cpu.kafka, cpu.all].map(({ median }) => toDigits(median, 1)),
    base ? toDigits(cpu.all.median / base.cpu.all.median, 2, '×') : '',
    toDigits(maxMemoryBytes / MB, 0),
    toDigits(diskBytes.postgres, 0),
    toDigits(diskBytes.kafka, 0)
  ])
  return [alignColumns([[...head, 'B in PG', 'B in Kafka'], ...rows]), ...toVoidLines(summaries)].join('\n')
}

/** Draws the CPU of each point, a panel a cause; the base is in each of them. */
export function toGrowthChart(summaries: readonly DrainSummary[], series: readonly Series[]): string {
  const panels = series.map(({ cause, values }) => ({
    title: TITLES[cause],
    bars: values.flatMap(value => {
      const name = toPointName(cause, value)
      const summary = summaries.find(one => one.name === name)
      return summary ? [toDrainBar(summary, { label: value.toLocaleString('en'), isMarked: name === BASE_NAME })] : []
    })
  }))
  return toCpuChart({
    title: 'What an event costs as things grow',
    self: 'our runner',
    panels,
    footer: `One cause at a time from the base, which is bold: 3 partitions, 200 bytes, 1 function, empty tables.
Each panel has a scale of its own. All processes of one run on one machine; medians of the rounds.`
  })
}
