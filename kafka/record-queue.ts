import type { Append } from './append.ts'
import type { HeaderList, OutgoingRecord } from './types.ts'

/** A record on its way. It is handed to KafkaJS as it is: one object a record, and no other. */
export interface Entry {
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: OutgoingRecord['headers'] | HeaderList
  /** Decimal: KafkaJS takes the number 0 for none, and sorts texts faster. */
  readonly timestamp: string
  readonly bytes: number
  readonly append: Append
  readonly index: number
  readonly queue: RecordQueue
  /** Whether a send ever took it: then nobody knows that it was not written. */
  isSent: boolean
  /**
   * Whether a send that failed may have written it all the same: one without an answer, or one in which it had neighbours
   * and nobody knows which of them was refused. What a later send is refused with says nothing of that.
   */
  doubt: 'none' | 'neighbours' | 'unanswered'
  isInFlight: boolean
  isSettled: boolean
}

/** What waits for one partition, in the order in which it will be written, and how the partition fares. */
export interface RecordQueue {
  readonly topic: string
  /** With TOPIC_PREFIX. */
  readonly kafkaTopic: string
  readonly partition: number
  /** A send of this partition is under way: none other may begin, or records would overtake each other. */
  isInFlight: boolean
  /** It goes alone: it failed, or a record in it is looked for, and its neighbours must not wait for that. */
  isAlone: boolean
  /** Failures in a row. */
  failures: number
  /** When it may be sent again, in milliseconds of `performance.now()`. */
  retryAtMs: number
  /** Records of the next send at most; less than usual while a bad record is looked for. */
  maxRecords: number
  push(entry: Entry): void
  /** Puts entries that were taken back before all others, in their order. */
  putBack(entries: readonly Entry[]): void
  /** Takes the entries of the next send, without those that settled; empty when nothing waits. */
  take(maxBytes: number): Entry[]
  /** Whether something waits; may be true for entries that settled meanwhile. */
  hasEntries(): boolean
  /** Forgets an entry that settled while it waited, sooner or later. */
  noteWithdrawn(): void
}

/** Most records of one partition in one send. */
export const MAX_RECORDS = 2_000

// Below this the memory of withdrawn entries is not worth a copy.
const SWEEP_FROM = 1_000

/** Builds the queue of one partition. */
export function createRecordQueue({
  topic,
  kafkaTopic,
  partition
}: Pick<RecordQueue, 'topic' | 'kafkaTopic' | 'partition'>): RecordQueue {
  let entries: Entry[] = []
  let head = 0
  let withdrawn = 0

  function waiting(): Entry[] {
    return entries.slice(head).filter(entry => !entry.isSettled)
  }

  function replace(next: Entry[]): void {
    entries = next
    head = 0
    withdrawn = 0
  }

  return {
    topic,
    kafkaTopic,
    partition,
    isInFlight: false,
    isAlone: false,
    failures: 0,
    retryAtMs: 0,
    maxRecords: MAX_RECORDS,

    push(entry) {
      entries.push(entry)
    },

    putBack(taken) {
      replace([...taken, ...waiting()])
    },

    take(maxBytes) {
      const taken: Entry[] = []
      let bytes = 0

      for (; head < entries.length && taken.length < this.maxRecords; head += 1) {
        const entry = entries[head] as Entry
        if (entry.isSettled) continue
        // A single record that is larger goes alone.
        if (taken.length > 0 && bytes + entry.bytes > maxBytes) break
        bytes += entry.bytes
        taken.push(entry)
      }
      if (head === entries.length) replace([])
      else if (head > SWEEP_FROM && head * 2 > entries.length) replace(waiting())
      return taken
    },

    hasEntries: () => head < entries.length,

    noteWithdrawn() {
      withdrawn += 1
      if (withdrawn > SWEEP_FROM && withdrawn * 2 > entries.length - head) replace(waiting())
    }
  }
}
