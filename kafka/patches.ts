import { decodeBatch } from './decode-batch.ts'
import { encodeProduce, frameRequest, type ProduceRequest } from './encode-produce.ts'

/** The release that the patches were written and compared for; any other runs as it is. */
export const PATCHED_VERSION = '2.2.4'
const CHECK_INTERVAL_MS = 10

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null
  throttledUntil: number
  readonly pending: readonly unknown[]
  checkPendingRequests(): void
}

interface Grouping<M> {
  readonly topic: string
  readonly partitionMetadata: readonly unknown[]
  readonly messages: readonly M[]
  readonly partitioner: (choice: { topic: string; partitionMetadata: readonly unknown[]; message: M }) => number
}

/** Groups messages by partition in linear time; KafkaJS copies the array for every message. */
export function groupMessagesPerPartition<M>({ topic, partitionMetadata, messages, partitioner }: Grouping<M>) {
  const groups: Record<number, M[]> = {}
  if (partitionMetadata.length === 0) return groups

  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message })
    const group = groups[partition]
    if (group) group.push(message)
    else groups[partition] = [message]
  }
  return groups
}

/** Sets a timer only while requests wait; KafkaJS keeps one of 1 ms for ever, with a negative delay on Node 24 (#1704). */
export function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return
  const waitMs = this.throttledUntil - Date.now()

  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    },
    waitMs > 0 ? waitMs : CHECK_INTERVAL_MS
  )
}

interface KafkaJsBatch {
  readonly fetchedOffset: string
  readonly messagesWithinOffset: readonly { readonly offset: string }[]
  isEmpty(): boolean
}

/**
 * Gives the first offset of a batch, or what it was fetched from when it holds no records: behind the hole that a
 * compaction left, KafkaJS gives the offset of the first control record, as if the hole had been lost.
 */
export function firstOffset(this: KafkaJsBatch): string | null {
  if (this.isEmpty()) return this.fetchedOffset
  return this.messagesWithinOffset[0]?.offset ?? null
}

interface KafkaJsRunner {
  readonly running: boolean
  readonly fetchManager: { stop(): Promise<void> }
}

type Fetch = (this: KafkaJsRunner, nodeId: number) => Promise<readonly unknown[]>

/**
 * Ends the fetching of a consumer that was stopped, whichever fetchers it has by then. KafkaJS stops those that it had
 * when it was asked; what a change of the brokers makes a moment later gets an empty answer at once and asks again, for
 * ever, without leaving the turn of the event loop: no timer and no signal comes through.
 *
 * @returns whether it was applied; not on any other release than the one it was written for
 */
export function endStoppedFetches(require: NodeJS.Require): boolean {
  if (!isPatched(require)) return false
  const runner: { prototype: { fetch: Fetch } } = require('kafkajs/src/consumer/runner')
  const { fetch } = runner.prototype

  runner.prototype.fetch = function fetchOrEnd(nodeId) {
    // Not waited for: it ends with the answer to this fetch.
    if (!this.running) void this.fetchManager.stop()
    return fetch.call(this, nodeId)
  }
  return true
}

interface ConsumerGroup {
  lastRequest: number
}

interface BrokerPool {
  readonly metadataMaxAge: number
  metadataExpireAt: number | null
}

type Heartbeat = (this: ConsumerGroup, options: { interval: number }) => Promise<void>
type RefreshMetadata = (this: BrokerPool, topics: readonly string[]) => Promise<unknown>

/**
 * Lets go of times that lie ahead because the clock was set back: KafkaJS would send no heartbeat until the old time has
 * come again, and lose its place in the group, and would not look for new partitions.
 */
function forgetTimesAhead(require: NodeJS.Require): void {
  const group: { prototype: { heartbeat: Heartbeat } } = require('kafkajs/src/consumer/consumerGroup')
  const { heartbeat } = group.prototype
  group.prototype.heartbeat = function beat(options) {
    if (this.lastRequest > Date.now()) this.lastRequest = 0
    return heartbeat.call(this, options)
  }

  const pool: { prototype: { refreshMetadataIfNecessary: RefreshMetadata } } = require('kafkajs/src/cluster/brokerPool')
  const { refreshMetadataIfNecessary } = pool.prototype
  pool.prototype.refreshMetadataIfNecessary = function refreshIfOld(topics) {
    if ((this.metadataExpireAt ?? 0) > Date.now() + this.metadataMaxAge) this.metadataExpireAt = null
    return refreshMetadataIfNecessary.call(this, topics)
  }
}

/** Decodes fetched records by this room's own decoder (`decode-batch.ts`), which makes a fraction of the garbage. */
function decodeBatches(require: NodeJS.Require): void {
  const { lookupCodecByAttributes } = require('kafkajs/src/protocol/message/compression')
  const { KafkaJSPartialMessageError } = require('kafkajs/src/errors')
  const toPartialError = (message: string) => new KafkaJSPartialMessageError(message)
  replaceModule<(answer: Parameters<typeof decodeBatch>[0]) => ReturnType<typeof decodeBatch>>(
    require,
    'kafkajs/src/protocol/recordBatch/v0/decoder',
    () => answer => decodeBatch(answer, lookupCodecByAttributes, toPartialError)
  )
}

type ToRequest = (request: ProduceRequest) => { encode: () => Promise<unknown> }

/**
 * Encodes what is produced by this room's own encoder (`encode-batch.ts`), a tenth of the work. The versions of the request
 * that KafkaJS and a broker of today agree on are made of version 3; what is part of a transaction is left to KafkaJS.
 */
function encodeBatches(require: NodeJS.Require): void {
  const { lookupCodec } = require('kafkajs/src/protocol/message/compression')
  replaceModule<ToRequest>(require, 'kafkajs/src/protocol/requests/produce/v3/request', toStock => request => {
    const { transactionalId, compression = 0 } = request
    const stock = toStock(request)
    if (transactionalId) return stock
    return { ...stock, encode: async () => encodeProduce(request, compression === 0 ? null : lookupCodec(compression)) }
  })
  replaceModule<typeof frameRequest>(require, 'kafkajs/src/protocol/request', () => frameRequest)
}

interface ProduceAnswer {
  readonly topics: readonly { readonly partitions: readonly { readonly errorCode: number; error?: Error }[] }[]
}

/**
 * Lets each partition of an answer to a Produce request have its own outcome. KafkaJS throws for the first that failed:
 * those that were written with it would be written again. Where all failed it throws as ever.
 */
function keepPartialAnswers(require: NodeJS.Require): void {
  const { createErrorFromCode } = require('kafkajs/src/protocol/error')
  // Later versions take their parser from here.
  const response: {
    parse: (answer: ProduceAnswer) => Promise<ProduceAnswer>
  } = require('kafkajs/src/protocol/requests/produce/v3/response')
  const { parse } = response
  response.parse = async answer => {
    const partitions = answer.topics.flatMap(topic => topic.partitions)
    if (partitions.every(({ errorCode }) => errorCode !== 0)) return parse(answer)
    for (const one of partitions) if (one.errorCode !== 0) one.error = createErrorFromCode(one.errorCode)
    return answer
  }
}

interface Connecting {
  isConnected(): boolean
  connect(): Promise<unknown>
}

/**
 * Lets requests that find a connection not made yet wait for the same one. In KafkaJS each of them makes a socket of its own,
 * and all but the last stay open for ever, unknown to anyone.
 */
function shareConnects(require: NodeJS.Require): void {
  const pool: { prototype: object } = require('kafkajs/src/network/connectionPool')
  const underWay = new WeakMap<Connecting, Promise<unknown>>()

  Object.assign(pool.prototype, {
    async getConnection(this: { readonly pool: readonly Connecting[] }, index = 0): Promise<Connecting> {
      const connection = this.pool[index] as Connecting
      if (connection.isConnected()) return connection
      const connecting = underWay.get(connection) ?? connection.connect().finally(() => underWay.delete(connection))
      underWay.set(connection, connecting)
      await connecting
      return connection
    }
  })
}

function replaceModule<T>(require: NodeJS.Require, name: string, toReplacement: (stock: T) => T): void {
  const stock: T = require(name)
  const loaded = require.cache[require.resolve(name)]
  if (loaded) loaded.exports = toReplacement(stock)
}

function isPatched(require: NodeJS.Require): boolean {
  const { version }: { version: string } = require('kafkajs/package.json')
  return version === PATCHED_VERSION
}

/**
 * Patches KafkaJS. Must run before `kafkajs` itself is first required: its producer keeps what it finds then.
 *
 * @returns whether the patches were applied; not on any other release than the one they were written for
 */
export function applyPatches(require: NodeJS.Require): boolean {
  if (!endStoppedFetches(require)) return false
  forgetTimesAhead(require)
  decodeBatches(require)
  encodeBatches(require)
  keepPartialAnswers(require)
  shareConnects(require)

  const queue: { prototype: Record<string, unknown> } = require('kafkajs/src/network/requestQueue')
  queue.prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests

  const batch: { prototype: Record<string, unknown> } = require('kafkajs/src/consumer/batch')
  batch.prototype.firstOffset = firstOffset

  const grouping = 'kafkajs/src/producer/groupMessagesPerPartition'
  replaceModule<typeof groupMessagesPerPartition>(require, grouping, () => groupMessagesPerPartition)
  return true
}
