import { Gauge, type Registry } from 'prom-client'

/** A value with its labels; null is not known, and not shown. */
export type Point = readonly [labels: Readonly<Record<string, string | number>>, value: number | null]

/** How a gauge is shown. */
export interface GaugeOptions {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
}

/** Builds what adds gauges to a registry; each is read whenever somebody asks for it. */
export function createGauges(registry: Registry) {
  return function addGauge({ name, help, labelNames = [] }: GaugeOptions, read: () => Iterable<Point>): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        // Reset, one without labels is 0: what is not known would look like nothing.
        if (labelNames.length === 0) this.remove({})
        for (const [labels, value] of read()) if (value !== null) this.set(labels, value)
      }
    })
  }
}

/** A value without labels. */
export function* single(value: number | null): Iterable<Point> {
  yield [{}, value]
}
