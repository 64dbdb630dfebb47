import type { Position } from '../db/queries/positions.ts'
import { createPartitionQueue, type PartitionQueue } from './partition-queue.ts'
import { NO_TRIAL, type Trial } from './trial.ts'
import { createWakeUp, type WakeUp } from './wake-up.ts'

/** A partition that this member owns, for as long as it owns it. */
export interface AssignedPartition {
  readonly partition: number
  /** What was last committed, or read, here: the expectation of the next compare-and-set. */
  position: Position
  /** What Kafka is asked for next; everything between the position and this is in hand. */
  fetchedTo: bigint
  /** The end of the log when it was last seen. */
  highWatermark: bigint
  isPaused: boolean
  /** Kafka has no more what follows the records in hand, and is not asked again before these are settled. */
  hasGap: boolean
  /** A transaction of this partition alone is open: its position is about to move. */
  isWriting: boolean
  /** Raised whenever what is in hand was dropped: what began before is of no use any more. */
  epoch: number
  readonly queue: PartitionQueue
  /** What is noted of its records before they are handled. */
  readonly trial: Trial
  /** Woken when records came, or when there is room for results. */
  readonly changed: WakeUp
  /** Aborts when another member owns it, or this one leaves. */
  readonly revoked: AbortSignal
  revoke(): void
  /** Drops all that is in hand and goes to another position. */
  moveTo(position: Position): void
}

/** Builds the state of a partition that is to be handled from `position` on. */
export function createAssignedPartition(position: Position, trial: Trial = NO_TRIAL): AssignedPartition {
  const controller = new AbortController()
  const changed = createWakeUp()

  return {
    partition: position.partition,
    position,
    fetchedTo: position.nextOffset,
    highWatermark: position.nextOffset,
    isPaused: false,
    hasGap: false,
    isWriting: false,
    epoch: 0,
    queue: createPartitionQueue(),
    trial,
    changed,
    revoked: controller.signal,
    revoke() {
      controller.abort()
      changed.wake()
    },
    moveTo(to) {
      this.epoch += 1
      this.position = to
      this.fetchedTo = to.nextOffset
      this.hasGap = false
      this.queue.clear()
      changed.wake()
    }
  }
}
