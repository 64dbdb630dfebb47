import type { MinuteStats } from './minute-stats.ts'

/** Where a partition stood. */
export interface PartitionSample {
  /** The position; null without one in this log. */
  readonly nextOffset: bigint | null
  readonly logStartOffset: bigint
  readonly logEndOffset: bigint
  readonly lag: number
}

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
  /** By `toPlaceKey`; null while either was away. */
  readonly partitions: ReadonlyMap<string, PartitionSample> | null
  readonly lag: number | null
  readonly lagSeconds: number | null
  /** Requests and queries since the sample before. */
  readonly requests: MinuteStats
  readonly queries: MinuteStats
  /** Queries that found PostgreSQL away, since the start of the gateway. */
  readonly databaseFailures: number
}

/** What is counted: its rate can be told. */
export type Counted = 'written' | 'settled' | 'deadLetters'

/** A partition's sample with its time. */
export interface TimedPartitionSample extends PartitionSample {
  readonly atMs: number
  readonly steadyMs: number
}

const RATE_WINDOW_MS = 60_000

/** Remembers the last samples, `max` of them. */
export function createSamples({ steadyMs, max }: { steadyMs: () => number; max: number }) {
  const samples: Sample[] = []

  return {
    add(sample: Sample): void {
      const before = samples.at(-1)
      samples.push({ ...sample, partitions: share(sample.partitions, before?.partitions) })
      if (samples.length > max) samples.shift()
    },

    /** The oldest first. */
    all: (): readonly Sample[] => samples,

    /** Of a partition, the oldest first: only where Kafka and PostgreSQL were seen at once. */
    ofPartition(topic: string, partition: number): TimedPartitionSample[] {
      const key = toPlaceKey(topic, partition)
      return samples.flatMap(({ atMs, steadyMs, partitions }) => {
        const seen = partitions?.get(key)
        return seen ? [{ ...seen, atMs, steadyMs }] : []
      })
    },

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

/** The key of a partition in a sample. */
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

/** Keeps one object where nothing changed: most partitions rest, and there are many samples. */
function share(now: Sample['partitions'], before: Sample['partitions'] | undefined): Sample['partitions'] {
  if (!now || !before) return now
  return new Map(
    [...now].map(([key, sample]) => {
      const last = before.get(key)
      return [key, last && isSame(last, sample) ? last : sample] as const
    })
  )
}

function isSame(one: PartitionSample, other: PartitionSample): boolean {
  return (
    one.nextOffset === other.nextOffset &&
    one.logStartOffset === other.logStartOffset &&
    one.logEndOffset === other.logEndOffset
  )
}
