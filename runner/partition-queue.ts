import type { FetchedBatch, FetchedRecord } from '../kafka/types.ts'

/** A fetched record, or the end of a batch that held none. */
export interface QueuedItem {
  readonly record: FetchedRecord | null
  /** The position once this item is settled. */
  readonly next: bigint
  readonly bytes: number
}

// What a record costs beside its bytes: objects, strings, the offset.
const OVERHEAD_BYTES = 400

/** Fetched records of one partition that nobody handles yet, in order. */
export interface PartitionQueue {
  push(batch: FetchedBatch): void
  /** Takes the first item, or gives undefined. */
  shift(): QueuedItem | undefined
  /** Bytes that wait, with what holding them costs. */
  bytes(): number
  clear(): void
}

/** Builds an empty queue. */
export function createPartitionQueue(): PartitionQueue {
  let batches: FetchedBatch[] = []
  let index = 0
  let bytes = 0

  return {
    push(batch) {
      batches.push(batch)
      bytes += batch.records.reduce((sum, record) => sum + sizeOf(record), 0)
    },

    shift() {
      const [batch] = batches
      if (!batch) return undefined
      const record = batch.records[index] ?? null
      index += 1
      const isLast = index >= batch.records.length
      if (isLast) {
        batches.shift()
        index = 0
      }
      const size = record ? sizeOf(record) : 0
      bytes -= size
      // A batch ends behind its last record: what lies between are control records, or holes of a compaction.
      return { record, next: isLast || !record ? batch.endOffset : BigInt(record.offset) + 1n, bytes: size }
    },

    bytes: () => bytes,

    clear() {
      batches = []
      index = 0
      bytes = 0
    }
  }
}

function sizeOf({ key, value, headers }: FetchedRecord): number {
  const ofHeaders = headers.reduce((sum, [name, header]) => sum + name.length + (header?.length ?? 0), 0)
  return OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders
}
