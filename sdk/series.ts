import { Counter, type CounterConfiguration, type Metric, type Registry } from 'prom-client'

type Labels = Readonly<Record<string, string>>

/** Adds to one series. */
export type Add = (value: number) => void

/**
 * Builds a counter whose series are opened once: prom-client writes and looks up a text of all labels for every
 * increment, and here that is done when somebody reads.
 */
export function createCounter<T extends string>(
  configuration: Omit<CounterConfiguration<T>, 'collect'>
): (labels: Record<T, string>) => Add {
  const series: { labels: Record<T, string>; added: number }[] = []
  new Counter({
    ...configuration,
    collect() {
      for (const one of series) {
        this.inc(one.labels, one.added)
        one.added = 0
      }
    }
  })
  return labels => {
    const one = { labels, added: 0 }
    series.push(one)
    return value => {
      one.added += value
    }
  }
}

interface HistogramOptions {
  readonly name: string
  readonly help: string
  /** Upper bounds, inclusive, ascending. */
  readonly buckets: readonly number[]
  readonly registry: Registry
}

interface Series {
  readonly labels: Labels
  /** One a bound, and one for what is above all of them. */
  readonly counts: Float64Array
  sum: number
}

/** As `createCounter`, a histogram; prom-client has none that can be filled from outside, but takes one that reads like its own. */
export function createHistogram({ name, help, buckets, registry }: HistogramOptions): (labels: Labels) => Add {
  const all: Series[] = []
  const aggregator = 'sum'
  const metric = {
    name,
    get: async () => ({ name, help, type: 'histogram', aggregator, values: all.flatMap(toValues) }),
    reset: () => void all.splice(0)
  }
  registry.registerMetric(metric as unknown as Metric)

  return labels => {
    const series: Series = { labels, counts: new Float64Array(buckets.length + 1), sum: 0 }
    all.push(series)
    return value => {
      let index = 0
      while (index < buckets.length && value > (buckets[index] as number)) index += 1
      series.counts[index] = (series.counts[index] as number) + 1
      series.sum += value
    }
  }

  function toValues({ labels, counts, sum }: Series) {
    let count = 0
    const bounds = [...buckets.map(String), '+Inf'].map((le, index) => {
      count += counts[index] ?? 0
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count }
    })
    return [
      ...bounds,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count }
    ]
  }
}
