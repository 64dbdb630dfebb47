import type { MinuteStats } from './minute-stats.ts'

/** What a topic counted up to a sample, by topic. */
type Counts = ReadonlyMap<string, number>

/** One look at everything; what could not be seen is null. */
export interface Sample {
  /** By the clock of the machine, which may be set: only for what has a time of its own. */
  readonly atMs: number
  /** What rates and durations are measured by. */
  readonly steadyMs: number
  /** Ends of the logs together; null while Kafka was away. */
  readonly written: Counts | null
  /** Null while PostgreSQL was away, as `deadLetters`. */
  readonly settled: Counts | null
  readonly deadLetters: Counts | null
  /** Null while either was away. */
  readonly lag: number | null
  readonly lagSeconds: number | null
  /** Requests and queries since the sample before. */
  readonly requests: MinuteStats
  readonly queries: MinuteStats
}

/** What is counted: its rate can be told. */
export type Counted = 'written' | 'settled' | 'deadLetters'

const RATE_WINDOW_MS = 60_000

/** Remembers the last samples, `max` of them. */
export function createSamples({ steadyMs, max }: { steadyMs: () => number; max: number }) {
  const samples: Sample[] = []

  return {
    add(sample: Sample): void {
      samples.push(sample)
      if (samples.length > max) samples.shift()
    },

    /** The oldest first. */
    all: (): readonly Sample[] => samples,

    /** A second over the last 60 seconds, or since the first sample; 0 without two samples. */
    rateOf(counted: Counted, topic?: string): number {
      const sinceMs = steadyMs() - RATE_WINDOW_MS
      const recent = samples.filter(sample => sample.steadyMs >= sinceMs && sample[counted] !== null)
      return rateBetween(counted, recent[0], recent.at(-1), topic) ?? 0
    }
  }
}

/** A second between two samples; null when it is not known. */
export function rateBetween(
  counted: Counted,
  first: Sample | undefined,
  last: Sample | undefined,
  topic?: string
): number | null {
  const [before, after] = [first?.[counted], last?.[counted]]
  if (!first || !last || !before || !after || last.steadyMs <= first.steadyMs) return null
  return (growth(before, after, topic) * 1000) / (last.steadyMs - first.steadyMs)
}

/** The key of a partition in a map. */
export function toPlaceKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}

function growth(before: Counts, after: Counts, only: string | undefined): number {
  let total = 0
  for (const [topic, count] of after) {
    if (only !== undefined && topic !== only) continue
    // A topic that was made anew, or a database that was restored, begins below.
    total += Math.max(0, count - (before.get(topic) ?? count))
  }
  return total
}
