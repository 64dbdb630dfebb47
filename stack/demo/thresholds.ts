import type { Reading } from './meters.ts'

/** A limit of a reading: above it somebody is told. */
export interface Threshold {
  readonly name: string
  readonly above: number
  /** Only of readings with these; all without them. */
  readonly labels?: Readonly<Record<string, string>>
}

/** A reading that went above its limit. */
export interface Crossing {
  readonly reading: Reading
  readonly above: number
}

export const THRESHOLDS: readonly Threshold[] = [
  { name: 'event-loop.delay', labels: { percentile: '99' }, above: 50 },
  { name: 'memory.usage', above: 0.9 },
  { name: 'disk.usage', above: 0.9 }
]

/** Builds the watch over some limits, each apart for every set of labels (every disk, say). */
export function createThresholdWatch(thresholds: readonly Threshold[]) {
  const crossed = new Set<string>()

  /** Gives the crossing when this reading is the first above its limit since it was last at or below it, else null. */
  return function findCrossing(reading: Reading): Crossing | null {
    const threshold = thresholds.find(one => concerns(one, reading))
    if (!threshold) return null

    const place = `${reading.name} ${JSON.stringify(reading.labels)}`
    if (reading.value <= threshold.above) {
      crossed.delete(place)
      return null
    }
    if (crossed.has(place)) return null
    crossed.add(place)
    return { reading, above: threshold.above }
  }
}

function concerns({ name, labels = {} }: Threshold, reading: Reading): boolean {
  return name === reading.name && Object.entries(labels).every(([label, value]) => reading.labels[label] === value)
}
