import { setTimeout as sleep } from 'node:timers/promises'
import type { EachBatchPayload, IHeaders, Consumer as KafkaJsConsumer, KafkaMessage } from 'kafkajs'
import type { KafkaClient } from './client.ts'
import type { ConsumerSettings } from './config.ts'
import { DecodedRecord } from './decode-batch.ts'
import { kafkaErrors } from './errors.ts'
import type { Consumer, ConsumerEvents, FetchedBatch, FetchedRecord } from './types.ts'

/** Without a fetch for so long, KafkaJS has stopped silently (tulios/kafkajs#659, #1441). */
const STALLED_MS = 60_000
const WATCH_MS = 5_000
const STOP_MS = 8_000

export interface ConsumerOptions {
  readonly topic: string
  readonly groupId: string
  readonly events: ConsumerEvents
}

/**
 * Builds a consumer of one topic in one group. KafkaJS only fetches here: positions are PostgreSQL's, nothing is
 * committed but by `commit`, and nothing that the caller throws or does reaches it, because what enters KafkaJS's loop
 * ends in a rebalance of the whole group, or in a consumer that is dead while the process looks alive.
 */
export function createConsumer(
  client: KafkaClient,
  settings: ConsumerSettings,
  { topic, groupId, events }: ConsumerOptions
): Consumer {
  const kafkaTopic = client.toKafkaTopic(topic)
  const sessionTimeout = settings.CONSUMER_SESSION_TIMEOUT_MS
  const log = client.log.child({ topic, group: groupId })
  const consumer = client.consumer({
    groupId,
    sessionTimeout,
    rebalanceTimeout: Math.max(60_000, sessionTimeout),
    // A member hears of a rebalance with its next heartbeat: what a killed one had stands still for that much longer.
    heartbeatInterval: Math.min(1_000, Math.floor(sessionTimeout / 3)),
    maxWaitTimeInMs: settings.CONSUMER_MAX_WAIT_MS,
    maxBytesPerPartition: settings.CONSUMER_MAX_BYTES_PER_PARTITION,
    minBytes: 1,
    // Never by itself: whoever uses the port makes a new one, which is one way back and not two.
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 8, restartOnFailure: async () => false }
  })
  // Settles with the first assignment, or when there will be none; `run` waits for it, and so does `stop`.
  const joined = createDeferred()
  let isRunning = false
  let started: ReadonlySet<number> = new Set()
  let fetchedAtMs = 0
  let watch: NodeJS.Timeout | undefined
  let isStopped = false

  const leaveAgain = () => {
    // Who stops waits for the join, and need not any more.
    joined.resolve()
    void consumer.disconnect().catch(logFailure)
  }

  listen(consumer, {
    GROUP_JOIN(assignment: Record<string, number[]>) {
      // Left while it was joining, and joined all the same: once more, when KafkaJS knows that it runs.
      if (isStopped) return void setTimeout(leaveAgain, 100)
      const partitions = [...(assignment[kafkaTopic] ?? [])].sort((a, b) => a - b)
      started = new Set()
      if (partitions.length > 0) consumer.pause([{ topic: kafkaTopic, partitions }])
      fetchedAtMs = performance.now()
      events.onAssigned(partitions)
      joined.resolve()
    },
    FETCH() {
      fetchedAtMs = performance.now()
    },
    START_BATCH({ partition, batchSize, firstOffset, lastOffset, highWatermark }) {
      // Nothing but control records or aborted ones, or what compaction left: KafkaJS steps over them and calls no handler.
      if (batchSize > 0 || isStopped || !started.has(partition)) return
      const endOffset = BigInt(lastOffset) + 1n
      // Without any record at or above it, KafkaJS gives the offset that was asked for as the last, and goes on behind it.
      const fetchedOffset = BigInt(firstOffset ?? lastOffset)
      void take({ partition, fetchedOffset, endOffset, highWatermark: BigInt(highWatermark), records: [] })
    },
    CRASH(error: Error) {
      clearInterval(watch)
      isRunning = false
      const wrapped = Object.assign(new kafkaErrors.SMG_KAFKA_UNAVAILABLE(error.message), { cause: error })
      joined.reject(wrapped)
      if (!isStopped) events.onCrash(wrapped)
    }
  })

  async function take(batch: FetchedBatch): Promise<void> {
    try {
      await events.onBatch(batch)
    } catch (error) {
      log.error({ err: error, partition: batch.partition }, 'a batch was not taken')
    }
  }

  async function onKafkaBatch({ batch, resolveOffset, isStale }: EachBatchPayload): Promise<void> {
    // After a rejoin KafkaJS still hands over what it had fetched before; what was not started anew is not wanted.
    if (isStopped || isStale() || !started.has(batch.partition)) return
    const { fetchedOffset } = batch as unknown as { fetchedOffset: string }

    resolveOffset(batch.lastOffset())
    await take({
      partition: batch.partition,
      fetchedOffset: BigInt(fetchedOffset),
      endOffset: BigInt(batch.lastOffset()) + 1n,
      highWatermark: BigInt(batch.highWatermark),
      records: batch.messages.map(toRecord)
    })
  }

  function logFailure(error: unknown) {
    log.warn({ err: error }, 'the consumer did not stop as it should')
  }

  // KafkaJS throws when it is asked to pause a consumer that crashed a moment ago; the crash is what counts then.
  function whileRunning(act: () => void) {
    if (isStopped || !isRunning) return
    try {
      act()
    } catch (error) {
      log.debug({ err: error }, 'the consumer is not running')
    }
  }

  function watchFetches() {
    watch = setInterval(() => {
      if (performance.now() - fetchedAtMs < STALLED_MS + settings.CONSUMER_MAX_WAIT_MS) return
      clearInterval(watch)
      if (!isStopped) events.onCrash(new kafkaErrors.SMG_KAFKA_STALLED(STALLED_MS))
    }, WATCH_MS)
    watch.unref()
  }

  return {
    async run() {
      try {
        await consumer.connect()
        await consumer.subscribe({ topics: [kafkaTopic], fromBeginning: true })
        fetchedAtMs = performance.now()
        isRunning = true
        watchFetches()
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          // Every partition has its own queue behind the port: none has to wait for a worker.
          partitionsConsumedConcurrently: 64,
          eachBatch: onKafkaBatch
        })
      } catch (cause) {
        isRunning = false
        joined.reject(Object.assign(new kafkaErrors.SMG_KAFKA_UNAVAILABLE((cause as Error).message), { cause }))
      }
      await joined.promise
    },

    start(partition, offset) {
      started = new Set([...started, partition])
      whileRunning(() => {
        consumer.seek({ topic: kafkaTopic, partition, offset: String(offset) })
        consumer.resume([{ topic: kafkaTopic, partitions: [partition] }])
      })
    },

    pause(partition) {
      whileRunning(() => consumer.pause([{ topic: kafkaTopic, partitions: [partition] }]))
    },

    resume(partition) {
      if (started.has(partition)) whileRunning(() => consumer.resume([{ topic: kafkaTopic, partitions: [partition] }]))
    },

    async commit(positions) {
      const offsets = [...positions].map(([partition, offset]) => ({
        topic: kafkaTopic,
        partition,
        offset: String(offset)
      }))
      try {
        await consumer.commitOffsets(offsets)
        return true
      } catch (error) {
        log.debug({ err: error }, 'Kafka did not take the positions')
        return false
      }
    },

    async stop() {
      isStopped = true
      clearInterval(watch)
      if (!isRunning) joined.reject(new kafkaErrors.SMG_KAFKA_CLOSED())
      const limit = new AbortController()
      const left = async () => {
        // Not before it has joined or failed: a disconnect that comes earlier is lost, and KafkaJS runs on (tulios/kafkajs#1639).
        await joined.promise.catch(() => undefined)
        await consumer.disconnect().catch(logFailure)
        limit.abort()
      }
      await Promise.race([left(), sleep(STOP_MS, undefined, { signal: limit.signal }).catch(() => undefined)])
    }
  }
}

function createDeferred() {
  let settle: { resolve: () => void; reject: (error: Error) => void } | undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  promise.catch(() => undefined)
  return { promise, resolve: () => settle?.resolve(), reject: (error: Error) => settle?.reject(error) }
}

interface Listeners {
  GROUP_JOIN(assignment: Record<string, number[]>): void
  FETCH(): void
  START_BATCH(batch: {
    partition: number
    batchSize: number
    firstOffset: string | null
    lastOffset: string
    highWatermark: string
  }): void
  CRASH(error: Error): void
}

function listen(consumer: KafkaJsConsumer, { GROUP_JOIN, FETCH, START_BATCH, CRASH }: Listeners) {
  const { events } = consumer
  consumer.on(events.GROUP_JOIN, ({ payload }) => GROUP_JOIN(payload.memberAssignment as Record<string, number[]>))
  consumer.on(events.FETCH, FETCH)
  consumer.on(events.START_BATCH_PROCESS, ({ payload }) => START_BATCH(payload))
  consumer.on(events.CRASH, ({ payload }) => CRASH(payload.error))
}

/** Makes a record of a message of KafkaJS's, unless it is one: those of our own decoder are. */
export function toRecord(message: KafkaMessage): FetchedRecord {
  if (message instanceof DecodedRecord) return message
  const { offset, timestamp, key, value, headers } = message
  return { offset, timestampMs: Number(timestamp), key: copy(key), value: copy(value), headers: toHeaders(headers) }
}

// KafkaJS's buffers are views on the whole answer of a fetch: one small value kept would keep megabytes.
function copy(bytes: Buffer | null | undefined): Buffer | null {
  return bytes ? Buffer.from(bytes) : null
}

function toHeaders(headers: IHeaders | undefined): FetchedRecord['headers'] {
  const pairs: (readonly [string, Buffer | null])[] = []
  for (const name in headers) {
    const values = headers[name]
    for (const value of Array.isArray(values) ? values : [values]) {
      // A header named like a member of Object.prototype comes with that member in front (KafkaJS 2.2.4, record decoder).
      if (value === null || Buffer.isBuffer(value)) pairs.push([name, value && Buffer.from(value)])
    }
  }
  return pairs
}
