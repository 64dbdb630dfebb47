import { kafkaErrors } from './errors.ts'
import type { Link } from './link.ts'

/** How many partitions topics have. */
export interface PartitionCounts {
  /** At once for a topic that was seen; rejects with SMG_KAFKA_NO_TOPIC | SMG_KAFKA_UNAVAILABLE for another. */
  get(topic: string): number | Promise<number>
  close(): Promise<void>
}

interface Seen {
  readonly topicId: string | null
  readonly count: number
}

interface Dependencies {
  readonly link: Pick<Link, 'call' | 'metadata' | 'close'>
  readonly toKafkaTopic: (topic: string) => string
  /** Told of every refresh: undefined when it succeeded, else the failure. */
  readonly onOutcome: (failure: unknown) => void
  /** Default 30 s. */
  readonly refreshMs?: number
}

const REFRESH_MS = 30_000

/** Builds a cache of partition counts, which asks for all topics that it knows once a period. */
export function createPartitionCounts({
  link,
  toKafkaTopic,
  onOutcome,
  refreshMs = REFRESH_MS
}: Dependencies): PartitionCounts {
  const seen = new Map<string, Seen>()
  const asked = new Map<string, Promise<void>>()
  const timer = setInterval(() => void refresh(), refreshMs).unref()

  async function refresh(): Promise<void> {
    if (seen.size === 0) return
    try {
      await look([...seen.keys()])
      onOutcome(undefined)
    } catch (error) {
      onOutcome(error)
    }
  }

  async function look(topics: readonly string[]): Promise<void> {
    const found = await link.call(() => link.metadata(topics.map(toKafkaTopic)))

    for (const topic of topics) {
      const now = found.topics.get(toKafkaTopic(topic))
      if (now) seen.set(topic, newer(seen.get(topic), { topicId: now.topicId, count: now.partitions.length }))
      else seen.delete(topic)
    }
  }

  /** One question at a time for a topic, whoever asks. */
  function lookOnce(topic: string): Promise<void> {
    const pending = asked.get(topic) ?? look([topic]).finally(() => asked.delete(topic))
    asked.set(topic, pending)
    return pending
  }

  async function ask(topic: string): Promise<number> {
    await lookOnce(topic)
    const count = seen.get(topic)?.count
    if (count === undefined) throw new kafkaErrors.SMG_KAFKA_NO_TOPIC(topic)
    return count
  }

  return {
    get: topic => seen.get(topic)?.count ?? ask(topic),

    close() {
      clearInterval(timer)
      return link.close()
    }
  }
}

/** Partitions only grow: a smaller number of the same topic comes from a broker that is behind. */
function newer(before: Seen | undefined, now: Seen): Seen {
  return before && before.topicId === now.topicId && before.count > now.count ? before : now
}
