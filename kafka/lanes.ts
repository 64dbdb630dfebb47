import { type Budget, landEntry, settleEntry } from './append.ts'
import { type Acknowledgement, toCoverage, toOffset, toPlace } from './coverage.ts'
import { kafkaErrors } from './errors.ts'
import { findErrorType, toFailureKind, toKafkaError } from './failure.ts'
import { type Entry, MAX_RECORDS, type RecordQueue } from './record-queue.ts'
import type { Sender, TopicMessages } from './sender.ts'
import type { SendReport } from './types.ts'

/** What lanes need of their producer. */
export interface LaneDependencies {
  readonly sender: Sender
  readonly budget: Budget
  /** How many sends of healthy partitions are under way at once, at most. */
  readonly lanes: number
  /**
   * How far apart two sends begin: what comes in between gathers, so that many events share a request and few find
   * nobody to wait for. 0: as soon as a lane is free.
   */
  readonly lingerMs: number
  /** Bytes that wait for no company. */
  readonly batchBytes: number
  /** Told of every send: undefined when it was written, else the failure. */
  readonly onOutcome: (failure: unknown) => void
  /** Told of every send that is over, before its records are settled. Must not throw. */
  readonly onSend?: (send: SendReport) => void
}

/** Write the records of all partitions, each in its order. */
export interface Lanes {
  /** Says that a record came into some queue, which is woken next. */
  note(bytes: number): void
  /** Says that a queue got records. */
  wake(queue: RecordQueue): void
  /** Sends that are under way, those of partitions that go alone too. */
  inFlight(): number
}

interface Take {
  readonly queue: RecordQueue
  /** In the order of their offsets, once they are sent. */
  entries: Entry[]
}

// Below Kafka's default of 1 MiB for a batch, with room for what a batch has besides its records.
const PARTITION_BYTES = 900_000
const SEND_BYTES = 8 * 1024 * 1024
const FULL_RECORDS = 1_000
const RETRY_MS = { min: 50, max: 1_000 }
// A topic that was made a moment ago is not known to every broker.
const NO_TOPIC_FAILURES = 6

/**
 * Builds the lanes: each is a send under way, which takes all that waits but the partitions of the others, so that a
 * request to a broker carries as many partitions as it can. Those of one send wait for its slowest broker. A partition
 * that fails leaves the common sends and is sent alone until it succeeds; its order holds, and nobody waits for it.
 */
export function createLanes({
  sender,
  budget,
  lanes,
  lingerMs,
  batchBytes,
  onOutcome,
  onSend = () => undefined
}: LaneDependencies): Lanes {
  const waiting = new Set<RecordQueue>()
  let inFlight = 0
  let sending = 0
  let isDue = false
  let gathered = { records: 0, bytes: 0 }
  let begunAtMs = Number.NEGATIVE_INFINITY
  let lingering: NodeJS.Timeout | undefined

  function note(bytes: number): void {
    gathered.records += 1
    gathered.bytes += bytes
  }

  function wake(queue: RecordQueue): void {
    waiting.add(queue)
    if (queue.isInFlight) return // the end of its send wakes it
    if (isAlone(queue)) pumpAlone(queue)
    else schedule()
  }

  function schedule(): void {
    if (sending >= lanes || isDue || waiting.size === 0) return
    const isFull = gathered.records >= FULL_RECORDS || gathered.bytes >= batchBytes
    const waitMs = isFull || lingerMs === 0 ? 0 : begunAtMs + lingerMs - performance.now()

    if (waitMs <= 0) makeDue()
    else lingering ??= setTimeout(makeDue, waitMs)
  }

  /** What comes in this turn of the event loop goes with it. */
  function makeDue(): void {
    clearTimeout(lingering)
    lingering = undefined
    isDue = true
    setImmediate(pump)
  }

  function pump(): void {
    isDue = false
    pumpTogether()
    for (const queue of waiting) if (isAlone(queue)) pumpAlone(queue)
  }

  function isAlone(queue: RecordQueue): boolean {
    return queue.isAlone || sender.isApart(queue.kafkaTopic)
  }

  function pumpTogether(): void {
    const takes: Take[] = []
    let room = SEND_BYTES
    let isRest = false

    for (const queue of [...waiting]) {
      if (queue.isInFlight || isAlone(queue)) continue
      if (room <= 0) {
        isRest = true
        break
      }
      const entries = takeFrom(queue)
      if (entries.length === 0) continue
      takes.push({ queue, entries })
      room -= entries.reduce((sum, { bytes }) => sum + bytes, 0)
    }
    gathered = { records: 0, bytes: 0 }
    if (takes.length === 0) return

    sending += 1
    begunAtMs = performance.now()
    void send(takes).then(() => {
      sending -= 1
      for (const { queue } of takes) pumpAgain(queue)
      schedule()
    })
    // What this send had no room for does not wait for its end.
    if (isRest) schedule()
  }

  function pumpAlone(queue: RecordQueue): void {
    if (queue.isInFlight) return
    const waitMs = queue.retryAtMs - performance.now()
    if (waitMs > 0) {
      retryIn(queue, waitMs)
      return
    }
    const entries = takeFrom(queue)
    if (entries.length > 0) void send([{ queue, entries }]).then(() => pumpAgain(queue))
  }

  function retryIn(queue: RecordQueue, waitMs: number): void {
    // In flight until then: nothing else may begin with it.
    queue.isInFlight = true
    setTimeout(() => {
      queue.isInFlight = false
      pumpAgain(queue)
    }, waitMs)
  }

  function pumpAgain(queue: RecordQueue): void {
    if (!queue.hasEntries()) return
    waiting.add(queue)
    // Not before those whose records were refused have heard of it: what they withdraw may be what is next.
    if (isAlone(queue)) setImmediate(pumpAlone, queue)
    else schedule()
  }

  /** Takes a send's share of a queue, and puts the queue behind the others when it has more. */
  function takeFrom(queue: RecordQueue): Entry[] {
    const entries = queue.take(PARTITION_BYTES)
    waiting.delete(queue)
    if (queue.hasEntries()) waiting.add(queue)
    return entries
  }

  /** Resolves always, when each record is settled or back in its queue. */
  async function send(takes: readonly Take[]): Promise<void> {
    let records = 0
    let bytes = 0
    for (const { queue, entries } of takes) {
      queue.isInFlight = true
      records += entries.length
      for (const entry of entries) {
        entry.isInFlight = true
        bytes += entry.bytes
      }
    }
    const startedMs = performance.now()
    const report = (failure: string | null) => {
      inFlight -= 1
      onSend({ records, bytes, durationMs: performance.now() - startedMs, failure })
    }
    inFlight += 1
    // A connection that comes after the send was given up finds nothing to write: its records are in other hands.
    let isOver = false
    try {
      const written = await sender.send(toTopics(takes), () => (isOver ? [] : toTopicMessages(begin(takes))))
      report(null)
      land(takes)
      settleWritten(takes, written)
      onOutcome(undefined)
    } catch (error) {
      isOver = true
      report(findErrorType(error) ?? 'UNAVAILABLE')
      land(takes)
      settleFailed(takes, error)
      onOutcome(error)
    }
  }

  /** Leaves out what was withdrawn while the connection was made: its sender was told that it is not written. */
  function begin(takes: readonly Take[]): readonly Take[] {
    for (const take of takes) {
      for (const entry of take.entries) if (entry.isSettled) landEntry(entry, budget)
      take.entries = take.entries.filter(({ isSettled }) => !isSettled)
      for (const entry of take.entries) entry.isSent = true
    }
    return takes
  }

  function land(takes: readonly Take[]): void {
    for (const { queue, entries } of takes) {
      queue.isInFlight = false
      for (const entry of entries) landEntry(entry, budget)
    }
  }

  function settleWritten(takes: readonly Take[], written: readonly Acknowledgement[]): void {
    const coverage = toCoverage(written)

    for (const { queue, entries } of takes) {
      if (entries.length === 0) continue
      const { kafkaTopic, partition } = queue
      const baseOffset = coverage.get(toPlace(kafkaTopic, partition))
      if (baseOffset === undefined) {
        // Refused while others were written, or its leader moved, or KafkaJS has not heard of the partition.
        const refusal = written.find(one => one.topicName === kafkaTopic && one.partition === partition)?.error
        if (refusal && toFailureKind(refusal) === 'world') for (const entry of entries) entry.doubt = 'unanswered'
        sender.renew()
        retryLater({ queue, entries })
        continue
      }
      entries.forEach((entry, index) => {
        settleEntry(entry, { partition, offset: toOffset(baseOffset, index) }, budget)
      })
      recover(queue)
    }
  }

  function settleFailed(takes: readonly Take[], error: unknown): void {
    const kind = toFailureKind(error)

    for (const take of takes) {
      const { queue, entries } = take
      for (const entry of entries) {
        if (kind === 'world') entry.doubt = 'unanswered'
        else if (takes.length > 1 && entry.doubt === 'none') entry.doubt = 'neighbours'
      }
      if (kind === 'world' || (kind === 'topic' && queue.failures + 1 < NO_TOPIC_FAILURES)) retryLater(take)
      else if (takes.length > 1) sendAlone(take)
      else if ((kind === 'size' || kind === 'record') && entries.length > 1) bisect(take)
      else for (const entry of entries) settleEntry(entry, { error: toFinal(entry, error) }, budget)
    }
  }

  function retryLater({ queue, entries }: Take): void {
    queue.failures += 1
    const waitMs = Math.min(RETRY_MS.min * 2 ** (queue.failures - 1), RETRY_MS.max)
    queue.retryAtMs = performance.now() + waitMs * (0.5 + Math.random() / 2)
    sendAlone({ queue, entries })
  }

  /** The failure may be another partition's: each shows by itself. */
  function sendAlone({ queue, entries }: Take): void {
    queue.isAlone = true
    queue.putBack(entries)
  }

  function bisect({ queue, entries }: Take): void {
    queue.maxRecords = Math.ceil(entries.length / 2)
    sendAlone({ queue, entries })
  }

  function recover(queue: RecordQueue): void {
    queue.failures = 0
    queue.retryAtMs = 0
    queue.maxRecords = Math.min(queue.maxRecords * 2, MAX_RECORDS)
    queue.isAlone = queue.maxRecords < MAX_RECORDS
  }

  return { note, wake, inFlight: () => inFlight }
}

function toFinal({ doubt, queue }: Entry, error: unknown): Error {
  const refusal = toKafkaError(error, queue.topic)
  // What is wrong with the record, or with its topic, was wrong among its neighbours. A right may be gone only now.
  const isOwn = toFailureKind(error) !== 'refused'
  if (doubt === 'none' || (doubt === 'neighbours' && isOwn)) return refusal
  const why = `no answer at first, and then: ${refusal.message}`
  return Object.assign(new kafkaErrors.SMG_KAFKA_UNKNOWN_OUTCOME(why), { cause: refusal })
}

function toTopics(takes: readonly Take[]): string[] {
  return [...new Set(takes.map(({ queue }) => queue.kafkaTopic))]
}

function toTopicMessages(takes: readonly Take[]): TopicMessages[] {
  const topics = new Map<string, Entry[][]>()

  for (const { queue, entries } of takes) {
    if (entries.length === 0) continue
    const ofTopic = topics.get(queue.kafkaTopic)
    if (ofTopic) ofTopic.push(entries)
    else topics.set(queue.kafkaTopic, [entries])
  }
  return [...topics].map(([topic, parts]) => ({ topic, messages: parts.flat() }))
}
