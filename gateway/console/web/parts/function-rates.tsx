import { useEffect, useMemo, useState } from 'preact/hooks'
import type { Polled } from '../api.ts'
import { toCompact, toRate } from '../format.ts'
import type { FunctionShape, Topic } from '../shapes.ts'
import { addPoint, EMPTY_TRAIL } from '../trail.ts'
import { Chart } from '../ui/chart.tsx'
import { Stat } from '../ui/definitions.tsx'
import { Empty } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Count, Duration, Unknown } from '../ui/values.tsx'

// Ten minutes at a point every three seconds.
const MAX_POINTS = 200

interface FunctionRatesProps {
  readonly shape: Polled<FunctionShape>
  readonly topic: Polled<Topic>
}

/** The rates of a function, and how they went since the page was opened. */
export function FunctionRates({ shape, topic }: FunctionRatesProps) {
  const [trail, setTrail] = useState(EMPTY_TRAIL)
  const { written, settled, deadLetters } = shape.data?.rates ?? {}
  const { loadedAt } = shape

  useEffect(() => {
    if (loadedAt !== null) setTrail(trail => addPoint(trail, loadedAt, [written ?? null, settled ?? null], MAX_POINTS))
  }, [loadedAt])
  const series = useMemo(
    () => [
      { label: 'Written', values: trail.series[0] ?? [], tone: 'main' as const },
      { label: 'Settled', values: trail.series[1] ?? [], tone: 'other' as const }
    ],
    [trail]
  )

  return (
    <div class="grid grid--even">
      <div class="col-4">
        <Panel title="Now">
          <div class="stats stats--pairs">
            <Stat label="Written" value={toText(written)} unit="/s" />
            <Stat label="Settled" value={toText(settled)} unit="/s" />
            <Stat label="Dead letters" value={toText(deadLetters)} unit="/s" />
            <Stat label="Lag" value={<Count value={topic.data?.lag} />} />
            <Stat label="Oldest not settled" value={<Duration seconds={topic.data?.lagSeconds} />} />
            <Stat label="Settled in all" value={<Count value={topic.data?.messageCount} />} />
          </div>
        </Panel>
      </div>
      <div class="col-8">
        <Panel title="Rates" description="Since this page was opened." flush class="panel--chart">
          {trail.times.length < 2 ? (
            <Empty title="Waiting for a second measurement">They come every three seconds.</Empty>
          ) : (
            <Chart
              label={`Rates of the function: ${toRate(written ?? 0)} written a second now`}
              times={trail.times}
              series={series}
              format={toPerSecond}
              formatAxis={toCompact}
              atLeast={5}
              height={176}
            />
          )}
        </Panel>
      </div>
    </div>
  )
}

const toPerSecond = (value: number) => `${toRate(value)}/s`

function toText(rate: number | undefined) {
  return rate === undefined ? <Unknown /> : toRate(rate)
}
