import type { Logger } from 'pino'
import { type Append, type Budget, createAppend } from './append.ts'
import { findFlaw, sizeOf } from './check-record.ts'
import type { KafkaClient } from './client.ts'
import { toCompressionType } from './codecs.ts'
import type { ProducerSettings } from './config.ts'
import { kafkaErrors } from './errors.ts'
import { toFailureKind } from './failure.ts'
import { createLanes } from './lanes.ts'
import { createLink } from './link.ts'
import { createPartitionCounts } from './partition-counts.ts'
import { createRecordQueue, type RecordQueue } from './record-queue.ts'
import { createSender, type InnerProducer } from './sender.ts'
import { createTurnstile } from './turnstile.ts'
import type { AppendResult, OutgoingRecord, Producer, SendReport } from './types.ts'

const MAX_QUEUED_BYTES = 64 * 1024 * 1024
const CLOSE_TIMEOUT_MS = 10_000
/** So many failures in a row, over so long: a partition that elects its leader fails for a moment. */
const UNHEALTHY_FAILURES = 3
const UNHEALTHY_MS = 500
/** Without a send for so long nobody knows whether Kafka takes records: a failure before that says nothing any more. */
const FORGET_MS = 10_000

/** What a producer needs besides its settings. */
export interface ProducerOptions {
  readonly log: Logger
  /** Of what was taken, and as much again for what waits for room; default 64 MiB. */
  readonly maxQueuedBytes?: number
  /** How long `close` waits for what is not acknowledged, default 10 s. */
  readonly closeTimeoutMs?: number
  /** Default `performance.now()`. */
  readonly nowMs?: () => number
}

/**
 * Builds a producer. Nothing is connected before the first append; a broker that is away is waited for, within the
 * deadline of each append. Records of a partition are written in the order of the appends; a record may be written
 * more than once, but never again after its append settled, save by a send that was under way then.
 *
 * @throws SMG_KAFKA_BAD_SETTING when this Node cannot write PRODUCER_COMPRESSION
 */
export function createProducer(
  client: Pick<KafkaClient, 'brokers' | 'cluster' | 'producer' | 'toKafkaTopic' | 'unwritableCodecs'>,
  settings: Pick<
    ProducerSettings,
    'PRODUCER_LANES' | 'PRODUCER_LINGER_MS' | 'PRODUCER_BATCH_BYTES' | 'PRODUCER_COMPRESSION'
  >,
  {
    log,
    maxQueuedBytes = MAX_QUEUED_BYTES,
    closeTimeoutMs = CLOSE_TIMEOUT_MS,
    nowMs = () => performance.now()
  }: ProducerOptions
): Producer {
  const compression = toCompressionType(settings.PRODUCER_COMPRESSION, client.unwritableCodecs)
  const sender = createSender({ open: () => client.producer() as unknown as InnerProducer, compression, log })
  const counts = createPartitionCounts({
    link: createLink({ ...client, log }),
    toKafkaTopic: client.toKafkaTopic,
    onOutcome
  })
  const budget: Budget = { maxBytes: maxQueuedBytes, usedBytes: 0 }
  const turnstile = createTurnstile(() => isClosed || budget.usedBytes < budget.maxBytes)
  const appends = new Set<Append>()
  const onSends: ((send: SendReport) => void)[] = []
  const queues = new Map<string, Map<number, RecordQueue>>()
  const lanes = createLanes({
    sender,
    budget,
    lanes: settings.PRODUCER_LANES,
    lingerMs: settings.PRODUCER_LINGER_MS,
    batchBytes: settings.PRODUCER_BATCH_BYTES,
    onOutcome,
    onSend(send) {
      for (const call of onSends) call(send)
    }
  })
  /** Of the records that wait at the turnstile. */
  let patientBytes = 0
  let failures = 0
  let failingSinceMs = 0
  let failedAtMs = 0
  let isTold = false
  let isClosed = false

  function onOutcome(failure: unknown): void {
    turnstile.turn() // a send is over: its bytes count no longer
    if (failure === undefined) {
      if (isTold) log.info('kafka takes records again')
      isTold = false
      failures = 0
    } else if (toFailureKind(failure) === 'world') {
      failures += 1
      failedAtMs = nowMs()
      if (failures === 1) failingSinceMs = failedAtMs
      if (!isTold && isFailing()) log.error({ err: failure }, 'kafka takes no records')
      isTold ||= isFailing()
    }
  }

  function isFailing(): boolean {
    return failures >= UNHEALTHY_FAILURES && failedAtMs - failingSinceMs >= UNHEALTHY_MS
  }

  function getQueue(topic: string, partition: number): RecordQueue {
    const ofTopic = queues.get(topic) ?? new Map<number, RecordQueue>()
    const queue = ofTopic.get(partition) ?? openQueue(topic, partition)
    queues.set(topic, ofTopic.set(partition, queue))
    return queue
  }

  function openQueue(topic: string, partition: number): RecordQueue {
    return createRecordQueue({ topic, kafkaTopic: client.toKafkaTopic(topic), partition })
  }

  function enqueue(topic: string, records: readonly OutgoingRecord[], append: Append): void {
    const woken = new Set<RecordQueue>()

    records.forEach((record, index) => {
      const error = findFlaw(record)
      if (error) {
        append.settle(index, { error })
        return
      }
      const { partition, key, value, headers, headerList, timestampMs } = record
      const queue = getQueue(topic, partition)
      const bytes = sizeOf(record)
      const entry = {
        partition,
        key,
        value,
        headers: headerList ?? headers,
        timestamp: String(timestampMs),
        bytes,
        append,
        index,
        queue,
        isSent: false,
        doubt: 'none' as const,
        isInFlight: false,
        isSettled: false
      }
      budget.usedBytes += bytes
      append.add(entry)
      queue.push(entry)
      lanes.note(bytes)
      woken.add(queue)
    })
    for (const queue of woken) lanes.wake(queue)
  }

  /** Gives the reason why nothing can be taken now. */
  function findRefusal(signal?: AbortSignal): Error | undefined {
    if (signal?.aborted) return new kafkaErrors.SMG_KAFKA_WITHDRAWN()
    if (isClosed) return new kafkaErrors.SMG_KAFKA_CLOSED()
    // What is over by one append is taken: a batch is never refused for being large alone.
    if (budget.usedBytes >= budget.maxBytes) return toQueueFull()
    return undefined
  }

  function toQueueFull(): Error {
    return new kafkaErrors.SMG_KAFKA_QUEUE_FULL(budget.maxBytes)
  }

  /** Takes records, or refuses them, before it gives its promise. */
  async function begin(
    topic: string,
    records: readonly OutgoingRecord[],
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined }
  ): Promise<AppendResult[]> {
    const error = findRefusal(signal)
    if (error) return refuse(records, error)

    const append = createAppend(records.length, { timeoutMs, budget })
    const withdraw = signal && (() => append.withdraw())
    appends.add(append)
    enqueue(topic, records, append)
    if (withdraw) signal.addEventListener('abort', withdraw)
    const results = await append.settled
    if (withdraw) signal.removeEventListener('abort', withdraw)
    appends.delete(append)
    turnstile.turn() // what was withdrawn counts no longer
    return results
  }

  /** As `begin`, when there is room. */
  async function beginInTurn(...[topic, records, { timeoutMs, signal }]: Parameters<typeof begin>) {
    const bytes = records.reduce((sum, one) => sum + sizeOf(one), 0)
    if (patientBytes > 0 && patientBytes + bytes > maxQueuedBytes) return refuse(records, toQueueFull())
    patientBytes += bytes
    const run = (leftMs: number) => {
      patientBytes -= bytes
      return begin(topic, records, { timeoutMs: leftMs, signal })
    }
    return turnstile.enter(run, { timeoutMs, signal })
  }

  return {
    append(topic, records, { timeoutMs, isPatient = false, signal }) {
      if (records.length === 0) return Promise.resolve([])
      const isFree = !isPatient || turnstile.isOpen()
      return (isFree ? begin : beginInTurn)(topic, records, { timeoutMs, signal })
    },

    partitionCount: topic => counts.get(topic),
    queuedBytes: () => budget.usedBytes + patientBytes,
    sendsInFlight: lanes.inFlight,
    onSend: call => void onSends.push(call),
    isHealthy: () => !isFailing() || nowMs() - failedAtMs > FORGET_MS,

    async close() {
      isClosed = true
      turnstile.turn()
      const timer = setTimeout(() => {
        for (const append of appends) append.expire()
      }, closeTimeoutMs)
      await Promise.all([...appends].map(append => append.settled))
      clearTimeout(timer)
      await Promise.all([sender.close(), counts.close()])
    }
  }
}

function refuse(records: readonly OutgoingRecord[], error: Error): AppendResult[] {
  return records.map(() => ({ error }))
}
