import type { Logger } from 'pino'
import type { Producer } from '../kafka/types.ts'
import type { LoadedFunction } from '../sdk/types.ts'

const REFRESH_MS = 30_000

/** How many partitions the topics of functions have, at hand without waiting. */
export interface PartitionCounts {
  /** The count when it was last read; before that, what the function asks for. */
  of(topic: string): number
  start(): void
  stop(): void
}

/** Builds the counts of all functions' topics, read again every 30 s: partitions may be added. */
export function createPartitionCounts(
  functions: ReadonlyMap<string, LoadedFunction>,
  producer: Pick<Producer, 'partitionCount'>,
  log: Logger
): PartitionCounts {
  const counts = new Map([...functions].map(([topic, { options }]) => [topic, options.partitions]))
  let timer: NodeJS.Timeout | undefined

  async function refresh(): Promise<void> {
    for (const topic of functions.keys()) {
      try {
        counts.set(topic, await producer.partitionCount(topic))
      } catch (error) {
        log.debug({ err: error, topic }, 'the partitions of the topic are not known')
      }
    }
  }

  return {
    of: topic => counts.get(topic) ?? 1,
    start() {
      void refresh()
      timer = setInterval(() => void refresh(), REFRESH_MS)
    },
    stop: () => clearInterval(timer)
  }
}
