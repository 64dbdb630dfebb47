import type { FastifyBaseLogger } from 'fastify'
import type { ClusterView, LogDirsView } from '../kafka/types.ts'
import type { PartitionReading, TopicReader, TopicReading } from './topic-reader.ts'

/** What the sampler saw last. */
interface Snapshot {
  readonly atMs: number
  readonly topics: readonly TopicReading[]
  /** Null where the brokers do not tell. */
  readonly logDirs: LogDirsView | null
}

interface Sample {
  /** By the clock of the machine, which may be set: only for what has a time of its own. */
  readonly atMs: number
  readonly steadyMs: number
  /** Log ends by topic and partition. */
  readonly ends: ReadonlyMap<string, bigint>
}

interface SamplerDependencies {
  readonly readTopics: TopicReader
  readonly cluster: Pick<ClusterView, 'logDirs'>
  /** A query that says how long PostgreSQL takes, also when nobody asks anything. */
  readonly probe: () => Promise<unknown>
  readonly log: FastifyBaseLogger
  readonly now: () => number
  /** A clock that nobody sets: what rates and ages are measured by. */
  readonly steadyMs: () => number
  readonly intervalMs: number
}

const WINDOW_MS = 60_000
// 20 minutes at 3 s: as far back as the age of a record can be told from the log's end.
const MAX_SAMPLES = 400

/** Looks at the topics every `intervalMs` and remembers their log ends, from which rates and ages follow. */
export function createSampler({ readTopics, cluster, probe, log, now, steadyMs, intervalMs }: SamplerDependencies) {
  const samples: Sample[] = []
  let snapshot: Snapshot | null = null
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  let isBlind = false

  return { sample, start, stop, snapshot: () => snapshot, rateOf, ageSecondsOf }

  /** Takes one sample. Rejects never: what is away is said once, and once more when it is back. */
  async function sample(): Promise<void> {
    await probe().catch(() => undefined) // its latency is what counts; its failure shows in the reading below
    try {
      const [topics, logDirs] = await Promise.all([readTopics(), cluster.logDirs()])
      const atMs = now()
      snapshot = { atMs, topics, logDirs }
      samples.push({ atMs, steadyMs: steadyMs(), ends: toEnds(topics) })
      if (samples.length > MAX_SAMPLES) samples.shift()
      if (isBlind) log.info('topics can be sampled again')
      isBlind = false
    } catch (err) {
      if (!isBlind) log.warn({ err }, 'topics cannot be sampled')
      isBlind = true
    }
  }

  /** Samples at once and then again and again, with `intervalMs` between the end of one and the next. */
  function start(): void {
    void sample().then(() => {
      if (isStopped) return
      timer = setTimeout(start, intervalMs)
      timer.unref()
    })
  }

  function stop(): void {
    isStopped = true
    if (timer) clearTimeout(timer)
  }

  /** Records a second written over the last 60 seconds, or since the first sample; 0 without two samples. */
  function rateOf(topic?: string): number {
    const sinceMs = steadyMs() - WINDOW_MS
    const recent = samples.filter(sample => sample.steadyMs >= sinceMs)
    const [first] = recent
    const last = recent.at(-1)
    if (!first || !last || last.steadyMs <= first.steadyMs) return 0
    return (written(first, last, topic) * 1000) / (last.steadyMs - first.steadyMs)
  }

  /**
   * Estimates the age of the record at a partition's position, in seconds: since the first sample whose log end lies
   * beyond it. A record that was there before the first sample is at least as old as that sample, and at most as old as
   * the last settled one before it: then the time of that one counts. 0 without lag; null before the first sample.
   */
  function ageSecondsOf(topic: string, partition: PartitionReading): number | null {
    if (partition.lag === 0) return 0
    const [oldest] = samples
    if (!oldest) return null

    const place = partition.nextOffset ?? partition.logStartOffset
    const key = toKey(topic, partition.partition)
    const seen = samples.find(({ ends }) => (ends.get(key) ?? -1n) > place)
    const first = seen ?? samples.at(-1) ?? oldest
    const beforeMs = seen === oldest ? beforeSampling(oldest, partition) : 0
    return Math.max(0, (steadyMs() - first.steadyMs + beforeMs) / 1000)
  }
}

export type Sampler = ReturnType<typeof createSampler>

/** How long before the first sample the last settled record was written, in milliseconds; 0 when nobody knows. */
function beforeSampling({ atMs }: Sample, { lastMessageAt }: PartitionReading): number {
  return lastMessageAt === null ? 0 : Math.max(0, atMs - Date.parse(lastMessageAt))
}

function written(first: Sample, last: Sample, topic: string | undefined): number {
  let total = 0n
  for (const [key, end] of last.ends) {
    if (topic !== undefined && key.slice(0, key.lastIndexOf(' ')) !== topic) continue
    const begin = first.ends.get(key) ?? end
    // A topic that was made anew begins below.
    if (end > begin) total += end - begin
  }
  return Number(total)
}

function toEnds(topics: readonly TopicReading[]): Map<string, bigint> {
  return new Map(
    topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, logEndOffset }) => [toKey(topic, partition), logEndOffset] as const)
    )
  )
}

function toKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}
