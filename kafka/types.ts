// The port: all that the other rooms see of Kafka. No type, event or error of KafkaJS leaves this room.
// Topics are named without TOPIC_PREFIX everywhere outside this room; it is added and taken off here.

import type { LogRange } from './offsets.ts'
/** Headers in their order: a name may occur more than once, and a value may be null. */
export type HeaderList = readonly (readonly [name: string, value: Buffer | null])[]

/** A record that is to be written. */
export interface OutgoingRecord {
  /** Chosen by the caller: the client never partitions by itself (a retry would choose again). */
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string | Buffer>>
  /** In place of `headers`, for a record that is copied as it is. */
  readonly headerList?: HeaderList
  readonly timestampMs: number
}

/** Where a record was written; `offset` is a decimal string. */
interface Coordinates {
  readonly partition: number
  readonly offset: string
}

/** What became of one record: acknowledged by every in-sync replica, or not (then `error` is one of `kafkaErrors`). */
export type AppendResult = Coordinates | { readonly error: Error }

interface AppendOptions {
  readonly timeoutMs: number
  /**
   * Where too much waits already, waits for room within its time, behind those who came before; default: is refused at
   * once (SMG_KAFKA_QUEUE_FULL, certainly not written).
   */
  readonly isPatient?: boolean
  /**
   * Aborted when the records are not wanted any more: what no send has taken is withdrawn at once (SMG_KAFKA_WITHDRAWN,
   * certainly not written).
   */
  readonly signal?: AbortSignal | undefined
}

/** A send that is over. */
export interface SendReport {
  readonly records: number
  readonly bytes: number
  readonly durationMs: number
  /** Null when it was answered; else Kafka's name of the error, or `UNAVAILABLE` where no broker said any. */
  readonly failure: string | null
}

export interface Producer {
  /**
   * Writes records of one topic, in their order a partition, and gives one result a record, in the order of `records`.
   * Settles at the latest at `timeoutMs`: what no send has taken by then is withdrawn (SMG_KAFKA_TIMEOUT, certainly not
   * written); what is in flight then has an unknown outcome (SMG_KAFKA_UNKNOWN_OUTCOME). Rejects never.
   */
  append(topic: string, records: readonly OutgoingRecord[], options: AppendOptions): Promise<AppendResult[]>
  /**
   * How many partitions a topic has: at once where that is known, and it is refreshed by age. Rejects with
   * SMG_KAFKA_NO_TOPIC when there is none.
   */
  partitionCount(topic: string): number | Promise<number>
  /** Bytes that wait or are in flight. */
  queuedBytes(): number
  /** Sends that are under way. */
  sendsInFlight(): number
  /** Calls back after every send, from now on. */
  onSend(call: (send: SendReport) => void): void
  /** False after several failures in a row; true again after the first success, or when nothing failed for a while. */
  isHealthy(): boolean
  /** Sends what waits, then disconnects. */
  close(): Promise<void>
}

/** One fetched record. Key, value and header values are copies: they may be kept. */
export interface FetchedRecord {
  /** Decimal string. */
  readonly offset: string
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** In the order of the record, as far as the client keeps it; a name may occur more than once. */
  readonly headers: HeaderList
}

/** What one fetch gave for one partition. */
export interface FetchedBatch {
  readonly partition: number
  /** The offset that was asked for: gaps between it and the first record are normal. */
  readonly fetchedOffset: bigint
  /** The offset after the last record, control records included. */
  readonly endOffset: bigint
  readonly highWatermark: bigint
  /** Empty when the batch held nothing but control records or records of aborted transactions. */
  readonly records: readonly FetchedRecord[]
}

export interface ConsumerEvents {
  /**
   * A new generation of the group; called at once, before the first fetch of it. `partitions` is all that this member
   * owns now. Nothing is fetched for a partition until `start(partition, offset)` was called in this generation.
   */
  onAssigned(partitions: readonly number[]): void
  /**
   * Takes a batch. Must not throw. The next fetch waits for the promise, and only for a moment: who has no room
   * for longer pauses the partition.
   */
  onBatch(batch: FetchedBatch): void | Promise<void>
  /** The consumer crashed, or stopped fetching; it is of no use any more and wants to be made anew. */
  onCrash(error: Error): void
}

export interface Consumer {
  /** Joins the group. Resolves after the first assignment; rejects with kafkaErrors. */
  run(): Promise<void>
  /** Fetches a partition from `offset` on, until it is paused or the generation ends. Also moves a running one. */
  start(partition: number, offset: bigint): void
  /** Stops fetching a partition; a batch that is under way may still come. */
  pause(partition: number): void
  /** Goes on with a paused partition where it stopped. */
  resume(partition: number): void
  /** Commits positions as a hint for lag tools. Gives false when the broker did not take them: harmless, try later. */
  commit(positions: ReadonlyMap<number, bigint>): Promise<boolean>
  /** Leaves the group. Safe at any moment, also while it is still joining; repeatable. */
  stop(): Promise<void>
}

export interface PartitionView {
  readonly partition: number
  readonly leader: number | null
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
  readonly logStartOffset: bigint
  readonly logEndOffset: bigint
}

export interface TopicView {
  /** 32 hexadecimal digits in UUID form; null where the broker is too old to tell. */
  readonly topicId: string | null
  readonly partitions: readonly PartitionView[]
}

export interface GroupView {
  /** Kafka's word: Empty, PreparingRebalance, CompletingRebalance, Stable, Dead. */
  readonly state: string
  readonly members: readonly { memberId: string; clientId: string; host: string; partitions: readonly number[] }[]
}

/** A place in a log; `leader` as it was seen last. */
export interface LogPlace {
  readonly topic: string
  readonly partition: number
  readonly leader: number | null
  readonly offset: bigint
}

/** The first record at or above a place. */
export interface OldestRecord {
  readonly offset: bigint
  /** As its producer or the broker stamped it. */
  readonly timestampMs: number
}

export interface LogDirsView {
  readonly totalBytes: bigint
  readonly usableBytes: bigint
  /** Bytes of a topic's replicas on all brokers, by topic. */
  readonly topicBytes: ReadonlyMap<string, bigint>
}

/** Reads of the cluster. Each rejects with kafkaErrors (SMG_KAFKA_UNAVAILABLE) when no broker answers in time. */
export interface ClusterView {
  /** By topic; a topic that does not exist is missing. */
  topics(topics: readonly string[]): Promise<Map<string, TopicView>>
  /** Log start and end of one topic's partitions, by partition. */
  offsets(topic: string): Promise<Map<number, LogRange>>
  /**
   * The first record of each partition of a topic that was stamped at a time or later, in epoch milliseconds; by
   * partition, and missing where there is none.
   */
  offsetsAt(topic: string, timestampMs: number): Promise<Map<number, bigint>>
  /** Topic ids by topic; null where the broker is too old to tell. A topic that does not exist is missing. */
  topicIds(topics: readonly string[]): Promise<Map<string, string | null>>
  /** What a group committed, by partition; a partition without a commit is missing. */
  committed(groupId: string, topic: string): Promise<Map<number, bigint>>
  /** By group; a group that does not exist is missing. */
  groups(groupIds: readonly string[], topic: (groupId: string) => string): Promise<Map<string, GroupView>>
  /**
   * The oldest records from places on, one a place in their order: null where the log holds none (no control records, none
   * of aborted transactions), undefined where it cannot be told. A small fetch a place. Rejects never.
   */
  oldest(places: readonly LogPlace[]): Promise<readonly (OldestRecord | null | undefined)[]>
  /** Null where the brokers do not tell (too old, or not allowed). */
  logDirs(): Promise<LogDirsView | null>
  /** Ids of the brokers that answer. */
  brokers(): Promise<readonly number[]>
  close(): Promise<void>
}

export interface TopicSpec {
  readonly topic: string
  readonly partitions: number
  readonly retentionMs: number
}

/** How an existing topic differs from what its function asks for. It is reported and never changed. */
export interface TopicDrift {
  readonly topic: string
  readonly setting: 'partitions' | 'retention.ms' | 'max.message.bytes' | 'replication.factor'
  readonly expected: string
  readonly actual: string
}
