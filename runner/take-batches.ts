import type { Consumer, FetchedBatch } from '../kafka/types.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Effects } from './effects.ts'

/** A queue is paused above the one and goes on below the other. */
const FULL_BYTES = 1024 * 1024
const ROOM_BYTES = 256 * 1024
/** So long a fetch may wait for room before its partition is paused: a pause costs up to a fetch's whole wait. */
const WAIT_FOR_ROOM_MS = 200

export interface TakeBatchesDependencies {
  readonly owned: ReadonlyMap<number, AssignedPartition>
  readonly consumer: () => Consumer | null
  readonly room: Effects['room']
  readonly onFetched: (records: number) => void
  /** The position stands at a gap: it may be below the start of the log. */
  readonly onGap: () => void
}

/** Builds the way of fetched batches into the queues of their partitions, which stay within their bounds. */
export function createBatchTaker({ owned, consumer, room, onFetched, onGap }: TakeBatchesDependencies) {
  async function take(batch: FetchedBatch): Promise<void> {
    const partition = owned.get(batch.partition)
    if (!partition) return
    onFetched(batch.records.length)
    partition.highWatermark = batch.highWatermark
    if (batch.fetchedOffset > partition.fetchedTo) return closeGap(partition)
    // KafkaJS went back by itself: what comes is not what follows.
    if (batch.fetchedOffset < partition.fetchedTo) return askAgain(partition)

    partition.hasGap = false
    partition.queue.push(batch)
    partition.fetchedTo = batch.endOffset
    partition.changed.wake()

    if (partition.queue.bytes() < FULL_BYTES) return
    await room(partition, ROOM_BYTES, WAIT_FOR_ROOM_MS)
    if (partition.queue.bytes() < FULL_BYTES || partition.revoked.aborted) return
    partition.isPaused = true
    consumer()?.pause(partition.partition)
  }

  /** Kafka gave records from above what was asked for: it lost the ones between, or KafkaJS went back by itself. */
  function closeGap(partition: AssignedPartition) {
    if (isSettled(partition)) return askAgain(partition)
    // What is in hand goes first, and may take long: asked meanwhile, Kafka would give the same at once, and again.
    partition.hasGap = true
    consumer()?.pause(partition.partition)
  }

  /** The log may be another one than before, or begin above the position by now. */
  function askAgain(partition: AssignedPartition) {
    partition.hasGap = false
    partition.isPaused = false
    consumer()?.start(partition.partition, partition.fetchedTo)
    onGap()
  }

  return {
    take,
    /** Goes on with a paused partition once its queue has room, or once all before a gap is settled. */
    makeRoom(partition: AssignedPartition) {
      if (partition.hasGap) return isSettled(partition) ? askAgain(partition) : undefined
      if (!partition.isPaused || partition.queue.bytes() > ROOM_BYTES) return
      partition.isPaused = false
      consumer()?.resume(partition.partition)
    }
  }
}

function isSettled({ position, fetchedTo }: AssignedPartition): boolean {
  return position.nextOffset === fetchedTo
}
