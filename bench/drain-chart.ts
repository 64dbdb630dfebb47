import { type Bar, type Panel, toBarChart } from './chart.ts'
import { type Contender, OURS } from './contenders.ts'
import type { DrainSummary } from './drain-report.ts'

/** Draws what an event costs each contender, stacked by process. */
export function toDrainChart(
  summaries: readonly DrainSummary[],
  contenders: readonly Pick<Contender, 'name' | 'title'>[]
): string {
  const bars = summaries.map(summary => {
    const label = contenders.find(({ name }) => name === summary.name)?.title ?? summary.name
    return toDrainBar(summary, { label, isMarked: summary.name === OURS })
  })
  return toCpuChart({
    title: 'From a Kafka topic into two PostgreSQL tables',
    self: 'the consumer itself',
    panels: [{ title: '', bars }],
    footer: 'All processes of one run on one machine; medians of the rounds. Each row is checked by SQL.'
  })
}

/** Draws bars of `toDrainBar`. */
export function toCpuChart({
  title,
  self,
  panels,
  footer
}: {
  readonly title: string
  /** What the process is called that drains. */
  readonly self: string
  readonly panels: readonly Panel[]
  readonly footer: string
}): string {
  return toBarChart({
    ...{ title, panels, footer },
    subtitle: 'CPU time of an event in microseconds, of all processes: shorter is better',
    unit: 'µs',
    series: [self, 'PostgreSQL', 'Kafka'],
    noteTitle: 'events a second'
  })
}

/** A bar of the CPU of each process, beside the rate. */
export function toDrainBar(
  { cpu, eventsPerSecond }: DrainSummary,
  { label, isMarked }: Pick<Bar, 'label' | 'isMarked'>
): Bar {
  return {
    ...{ label, isMarked },
    // Without a round that counts there is no bar: the chart says that it is void.
    parts: [cpu.self, cpu.postgres, cpu.kafka].map(({ median }) => median || 0),
    note: Math.round(eventsPerSecond.median || 0).toLocaleString('en')
  }
}
