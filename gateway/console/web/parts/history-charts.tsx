import { useMemo } from 'preact/hooks'
import type { Polled } from '../api.ts'
import { toCompact, toCount, toDuration, toMs, toPercent, toRate } from '../format.ts'
import { type Columns, toColumns } from '../history.ts'
import type { StatsHistory } from '../shapes.ts'
import { Chart, type ChartProps } from '../ui/chart.tsx'
import { Empty, Failure, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Unknown } from '../ui/values.tsx'

type Drawing = Omit<ChartProps, 'times' | 'series' | 'label'> & {
  readonly title: string
  /** Of the large number. */
  readonly lead: Exclude<keyof Columns, 'times'>
  readonly unit: string
  readonly lines: readonly { readonly of: Exclude<keyof Columns, 'times'>; readonly label: string }[]
}

const perSecond = (value: number) => `${toRate(value)}/s`

const drawings: readonly Drawing[] = [
  {
    title: 'Throughput',
    lead: 'messageRate',
    unit: 'records/s',
    lines: [
      { of: 'messageRate', label: 'Written' },
      { of: 'settledRate', label: 'Settled' }
    ],
    format: perSecond,
    formatAxis: toCompact,
    atLeast: 10
  },
  {
    title: 'Lag',
    lead: 'lag',
    unit: 'records',
    lines: [{ of: 'lag', label: 'Not settled yet' }],
    format: toCount,
    formatAxis: toCompact,
    atLeast: 10
  },
  {
    title: 'Latency',
    lead: 'responseTimeP99',
    unit: 'p99',
    lines: [
      { of: 'responseTimeP99', label: 'Answers, p99' },
      { of: 'responseTime', label: 'Mean' },
      { of: 'queryLatency', label: 'Queries' }
    ],
    format: toMs,
    atLeast: 5
  },
  {
    title: 'Errors',
    lead: 'errorRate',
    unit: 'of answers',
    lines: [{ of: 'errorRate', label: 'Answers 5xx' }],
    format: toPercent,
    atLeast: 0.01
  }
]

/** The four charts of the overview, of one answer that holds all their points. */
export function HistoryCharts({ history }: { readonly history: Polled<StatsHistory> }) {
  const { data, error, reload } = history
  // Asked for more often than a sample is taken: nothing is drawn again for an answer that says the same.
  const version = `${data?.items.length} ${data?.items.at(-1)?.at}`
  const columns = useMemo(() => (data ? toColumns(data.items) : null), [version])
  if (!columns && error) {
    return (
      <Panel title="Rates">
        <Failure error={error} what="history of rates" onRetry={() => void reload()} />
      </Panel>
    )
  }
  return (
    <div class="grid">
      {drawings.map(drawing => (
        <div key={drawing.title} class="col-6">
          <HistoryChart drawing={drawing} columns={columns} />
        </div>
      ))}
    </div>
  )
}

function HistoryChart({ drawing, columns }: { readonly drawing: Drawing; readonly columns: Columns | null }) {
  const { title, lead, unit, lines, format, formatAxis, atLeast } = drawing
  const series = useMemo(
    () => lines.map(({ of, label }, index) => ({ label, values: columns?.[of] ?? [], tone: TONES[index] })),
    [lines, columns]
  )
  const last = columns?.[lead].at(-1)
  const value = last === null || last === undefined ? null : last
  return (
    <Panel title={title} flush class="panel--chart" actions={columns && <Beside title={title} columns={columns} />}>
      {columns === null ? (
        <Skeleton lines={5} />
      ) : columns.times.length < 2 ? (
        <Empty title="Waiting for the first measurements">They come every few seconds.</Empty>
      ) : (
        <>
          <p class="headline">
            <strong class="num">{value === null ? <Unknown /> : splitUnit(format(value))}</strong>
            <span class="faint">{unit}</span>
          </p>
          <Chart
            label={`${title}: ${value === null ? 'not known' : format(value)} ${unit} now`}
            times={columns.times}
            series={series}
            format={format}
            formatAxis={formatAxis}
            atLeast={atLeast}
          />
        </>
      )}
    </Panel>
  )
}

const TONES = ['main', 'other', 'broken'] as const

// `1,234/s` says its unit twice beside `records/s`.
function splitUnit(text: string): string {
  return text.replace(/\/s$/, '')
}

function Beside({ title, columns }: { readonly title: string; readonly columns: Columns }) {
  if (title === 'Lag') {
    const seconds = columns.lagSeconds.at(-1)
    if (seconds === null || seconds === undefined) return null
    return <span class="small muted">oldest waits {toDuration(seconds)}</span>
  }
  if (title === 'Errors') {
    const rate = columns.deadLetterRate.at(-1)
    if (rate === null || rate === undefined) return null
    return <span class="small muted">{toRate(rate)} dead letters/s</span>
  }
  return null
}
