import type { AssignedPartition } from './assigned-partition.ts'
import type { AttachmentState } from './attach-function.ts'

/** The side of an attachment that handles records and writes what they come to. */
export interface Effects {
  start(): void
  onOwned(partition: AssignedPartition): void
  /** Gives when nothing of it runs any more. */
  onReleased(partition: number): Promise<void>
  /** The partition went to another position: what was made of its records is void. Gives when nothing of them runs any more. */
  onMoved(partition: AssignedPartition): Promise<void>
  /** Waits until a partition's queue holds less than `bytes`, at most for `ms`. */
  room(partition: AssignedPartition, bytes: number, ms: number): Promise<void>
  /** Runs `work` while nothing is being written. */
  betweenWrites(work: () => Promise<void>): Promise<void>
  /** Writes what is handled already, begins nothing new, and gives up at `deadline` (of `performance.now()`). */
  stop(deadline: number): Promise<void>
}

/** What the writing side tells the reading side. */
export interface EffectHooks {
  /** A partition's position was committed; records of its queue may have left. */
  onCommitted(owned: AssignedPartition): void
  /** Positions must be read again before anything is written: after an outage, or because one moved. */
  reload(partitions?: readonly number[]): Promise<void>
  /** Drops what is in hand: the records are fetched and handled once more. */
  drop(partitions: readonly number[]): void
  onState(state: AttachmentState, reason: string | null): void
}
