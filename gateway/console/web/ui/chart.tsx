import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'

interface Series {
  readonly label: string
  /** One a time; null where it is not known: the line has a gap there. */
  readonly values: readonly (number | null)[]
  /** The accent with its shade, grey, or a broken grey. */
  readonly tone?: 'main' | 'other' | 'broken'
}

export interface ChartProps {
  /** What it shows, for screen readers. */
  readonly label: string
  /** Epoch in seconds, rising. */
  readonly times: readonly number[]
  /** Always as many, in the same order. */
  readonly series: readonly Series[]
  readonly format: (value: number) => string
  /** For the scale, where `format` is too long. */
  readonly formatAxis?: (value: number) => string
  /** In pixels. */
  readonly height?: number
  /** The scale ends no lower: so that noise around zero does not fill the chart. */
  readonly atLeast?: number
}

const VARIABLES = { main: '--series-1', other: '--series-2', broken: '--series-2' } as const
const MIN_SPAN_S = 60
const clock = new Intl.DateTimeFormat('sv-SE', { hour: '2-digit', minute: '2-digit' })
const clockSeconds = new Intl.DateTimeFormat('sv-SE', { timeStyle: 'medium' })

/** Lines over time, in the colours of the theme; a legend tells the values under the pointer, or else the last ones. */
export function Chart(props: ChartProps) {
  const { label, times, series, format, height = 148 } = props
  const ref = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const latest = useRef(props)
  const [pointed, setPointed] = useState<number | null>(null)
  latest.current = props

  useEffect(() => {
    const host = ref.current
    if (!host) return
    const theme = matchMedia('(prefers-color-scheme: dark)')
    const draw = () => {
      plot.current?.destroy()
      plot.current = new uPlot(toOptions(latest.current, host, setPointed), toData(latest.current), host)
    }
    const resize = new ResizeObserver(() => {
      const { width, height } = toSize(host, latest.current)
      if (plot.current && plot.current.width !== width) plot.current.setSize({ width, height })
    })
    draw()
    resize.observe(host)
    theme.addEventListener('change', draw)
    return () => {
      resize.disconnect()
      theme.removeEventListener('change', draw)
      plot.current?.destroy()
      plot.current = null
    }
  }, [])

  useEffect(() => plot.current?.setData(toData(latest.current)), [times, series])

  const index = pointed !== null && pointed < times.length ? pointed : times.length - 1
  const at = times[index]
  return (
    <figure class="chart">
      <figcaption class="chart__legend">
        {series.map(({ label: name, values, tone = 'main' }) => {
          const value = values[index]
          return (
            <span key={name} class="chart__entry">
              <span class={`chart__key chart__key--${tone}`} aria-hidden="true" />
              {name}
              <strong class="num">{value === null || value === undefined ? '–' : format(value)}</strong>
            </span>
          )
        })}
        {pointed !== null && at !== undefined && <span class="num faint">{clockSeconds.format(at * 1000)}</span>}
      </figcaption>
      <div ref={ref} class="chart__plot" style={{ height: `${height}px` }} role="img" aria-label={label} />
    </figure>
  )
}

// The first of the series is the one that matters: it is drawn last, above the others.
function toData({ times, series }: ChartProps): uPlot.AlignedData {
  return [times as number[], ...series.toReversed().map(({ values }) => values as (number | null)[])]
}

function toSize(host: HTMLElement, { height = 148 }: ChartProps) {
  return { width: Math.max(80, host.clientWidth), height }
}

function toOptions(props: ChartProps, host: HTMLElement, onPoint: (index: number | null) => void): uPlot.Options {
  const { series, format, formatAxis = format, atLeast = 1 } = props
  const styles = getComputedStyle(host)
  const read = (name: string) => styles.getPropertyValue(name).trim()
  const font = `11px ${read('--sans')}`
  const axis = { font, stroke: read('--text-3'), ticks: { show: false }, grid: { stroke: read('--grid'), width: 1 } }

  return {
    ...toSize(host, props),
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'smg' }, points: { size: 7 } },
    scales: {
      // The first minute fills from the right, in place of being drawn as wide as an hour.
      x: { range: (_plot, min, max) => [Math.min(min, max - MIN_SPAN_S), max] },
      y: { range: (_plot, _min, max) => [0, Math.max(atLeast, (max ?? 0) * 1.12)] }
    },
    axes: [
      {
        ...axis,
        space: 72,
        size: 24,
        grid: { show: false },
        values: (_, at, _axis, _space, step) => at.map(time => (step < 60 ? clockSeconds : clock).format(time * 1000))
      },
      { ...axis, space: 36, size: 52, gap: 8, values: (_, values) => values.map(value => formatAxis(value)) }
    ],
    series: [
      {},
      ...series.toReversed().map(({ tone = 'main' }) => {
        const stroke = read(VARIABLES[tone])
        return {
          stroke,
          width: 1.5,
          points: { show: false },
          ...(tone === 'broken' && { dash: [4, 3] }),
          ...(tone === 'main' && { fill: (plot: uPlot) => toShade(plot, stroke) })
        }
      })
    ],
    hooks: { setCursor: [({ cursor: { idx, left = -1 } }) => onPoint(left < 0 ? null : (idx ?? null))] }
  }
}

function toShade({ ctx, bbox }: uPlot, color: string): CanvasGradient | string {
  // Before the first layout there is no height, and a gradient of none is an error.
  if (!Number.isFinite(bbox.height) || bbox.height <= 0) return 'transparent'
  const shade = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height)
  shade.addColorStop(0, `${color}33`)
  shade.addColorStop(1, `${color}05`)
  return shade
}
