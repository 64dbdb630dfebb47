import type { Logger } from 'pino'
import type { Position } from '../db/queries/positions.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Effects } from './effects.ts'
import type { createPositionLocator, LogBounds } from './locate-positions.ts'

/** Compares what is in hand with what PostgreSQL and Kafka hold by now. */
export interface PositionCheck {
  /** One check at a time, and none while a cycle is being written: then the positions in memory are about to change. */
  check(options: { withLog: boolean }): Promise<void>
  /** A check of what PostgreSQL holds now: one that is under way may have read it before, and is waited for. */
  checkNow(): Promise<void>
  /** Reads positions again, of all partitions or of those that someone else moved, and drops what does not follow them. */
  reload(partitions?: readonly number[]): Promise<void>
}

export interface CheckPositionsDependencies {
  readonly owned: ReadonlyMap<number, AssignedPartition>
  readonly locator: ReturnType<typeof createPositionLocator>
  readonly betweenWrites: Effects['betweenWrites']
  /** Drops what is in hand of a partition, and goes to another position. */
  readonly moveTo: (partition: AssignedPartition, position: Position) => void
  /** Told the ends of the log whenever they were read. */
  readonly onBounds: (bounds: LogBounds) => void
  /** Called after every reading that succeeded. */
  readonly onRead: () => void
  readonly log: Logger
}

/** Builds the checks of the partitions that are owned. */
export function createPositionCheck(dependencies: CheckPositionsDependencies): PositionCheck {
  const { owned, locator, betweenWrites, moveTo, onBounds, onRead, log } = dependencies
  let checking: Promise<void> | null = null

  async function reload(partitions: readonly number[] = [...owned.keys()]): Promise<void> {
    const before = new Map([...owned].map(([partition, { position }]) => [partition, position]))
    const found = await locator.readOrCreate(partitions, locator.readBounds)

    for (const position of found.values()) {
      const partition = owned.get(position.partition)
      // One that moved while it was being read is compared the next time.
      if (!partition || partition.isWriting || partition.position !== before.get(position.partition)) continue
      if (isSame(partition.position, position)) continue
      const where = {
        partition: position.partition,
        from: String(partition.position.nextOffset),
        to: String(position.nextOffset)
      }
      log.warn(where, 'the position is another one than was committed here: what is in hand is dropped')
      moveTo(partition, position)
    }
  }

  async function checkLog(): Promise<void> {
    const bounds = await locator.readBounds()
    for (const partition of owned.values()) {
      if (partition.isWriting) continue
      const { position, fetchedTo } = partition
      const settled = await locator.settle(position, bounds, fetchedTo)
      if (!isSame(settled, position) && partition.position === position) moveTo(partition, settled)
    }
    onBounds(bounds)
  }

  const check: PositionCheck['check'] = ({ withLog }) => {
    checking ??= betweenWrites(async () => {
      await reload()
      if (withLog) await checkLog()
      onRead()
    })
      .catch(error => log.debug({ err: error }, 'the positions could not be checked'))
      .finally(() => {
        checking = null
      })
    return checking
  }

  return {
    reload,
    check,
    async checkNow() {
      await checking
      await check({ withLog: false })
    }
  }
}

function isSame(a: Position, b: Position): boolean {
  return a.nextOffset === b.nextOffset && a.topicId === b.topicId
}
