import type { Logger } from 'pino'
import type { AssignedPartition } from './assigned-partition.ts'
import { runnerErrors } from './errors.ts'
import type { LogBounds } from './locate-positions.ts'

/** After so many new consumers in a row that fetched nothing, another process may do better. */
const MAX_REBUILDS = 5

export interface SuperviseDependencies {
  readonly owned: ReadonlyMap<number, AssignedPartition>
  /** Whether it waits for something else than Kafka: for PostgreSQL, or for someone to act. */
  readonly isWaiting: () => boolean
  /** Makes the consumer anew. */
  readonly rebuild: (reason: Error) => void
  /** New consumers do not help. */
  readonly giveUp: (reason: Error) => void
  readonly log: Logger
}

/**
 * Builds the supervision of a consumer. It looks at the ends of the log whenever they were read, so that a Kafka that
 * does not answer is never the consumer's fault: a partition that has more to fetch, has nothing in hand, is not paused,
 * and yet stands where it stood at the look before, is one that KafkaJS forgot.
 */
export function createSupervision({ owned, isWaiting, rebuild, giveUp, log }: SuperviseDependencies) {
  /** Where the partitions stood at the last look that had more to fetch, by partition. */
  let behind = new Map<number, bigint>()
  let rebuilds = 0

  function isBehind({ isPaused, isWriting, queue, position, fetchedTo }: AssignedPartition, end: bigint): boolean {
    const isIdle = !isPaused && !isWriting && queue.bytes() === 0 && position.nextOffset === fetchedTo
    return isIdle && end > fetchedTo
  }

  /** Call with the ends of the log, as they were a moment ago. */
  return function look({ byPartition }: LogBounds): void {
    const before = behind
    behind = new Map()
    if (isWaiting()) return

    for (const partition of owned.values()) {
      const range = byPartition.get(partition.partition)
      if (range && isBehind(partition, range.stableEndOffset ?? range.logEndOffset))
        behind.set(partition.partition, partition.fetchedTo)
    }
    const stuck = [...behind].filter(([partition, fetchedTo]) => before.get(partition) === fetchedTo)
    if ([...before].some(([partition, fetchedTo]) => (owned.get(partition)?.fetchedTo ?? fetchedTo) > fetchedTo)) {
      rebuilds = 0
    }
    if (stuck.length === 0) return

    const reason = new runnerErrors.SMG_RUNNER_STALLED(stuck.map(([partition]) => partition).join(', '))
    behind = new Map()
    rebuilds += 1
    if (rebuilds > MAX_REBUILDS) giveUp(reason)
    else {
      log.error({ err: reason, rebuilds }, 'the consumer fetches nothing, although there is something to fetch')
      rebuild(reason)
    }
  }
}
