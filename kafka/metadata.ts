import type { WireRequest } from './kafkajs-internals.ts'
import { type Reader, toCompactString, toUvarint, toWireRequest } from './wire.ts'

/** A partition as the brokers see it; `leader` is null while there is none. */
interface PartitionMetadata {
  readonly partition: number
  readonly leader: number | null
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
}

/** Topics by their name in Kafka; one with an error, or that does not exist, is missing. */
export interface Metadata {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[]
  readonly controllerId: number
  readonly topics: ReadonlyMap<string, { topicId: string | null; partitions: readonly PartitionMetadata[] }>
}

const API_KEY = 3
const WITH_TOPIC_IDS = 12
const WITHOUT_TOPIC_IDS = 9
const NO_ID = '00000000-0000-0000-0000-000000000000'
const ZERO_UUID = Buffer.alloc(16)
const FALSE = Buffer.from([0])

/**
 * Makes a Metadata request. Unlike KafkaJS's own it tells topic ids, and a partition without a leader, or a topic that
 * is gone, hides none of the others.
 *
 * @param options.maxVersion what the broker takes: topic ids from 12 on (Kafka 3.1), null below
 * @see https://kafka.apache.org/protocol#The_Messages_Metadata
 */
export function metadataRequest(
  topics: readonly string[],
  { maxVersion }: { maxVersion: number }
): WireRequest<Metadata> {
  const hasIds = maxVersion >= WITH_TOPIC_IDS
  const names = topics.map(topic =>
    Buffer.concat([...(hasIds ? [ZERO_UUID] : []), toCompactString(topic), toUvarint(0)])
  )
  // No creation, and no operations: of the topics, before version 11 also of the cluster.
  const flags = hasIds ? [FALSE, FALSE] : [FALSE, FALSE, FALSE]
  const body = Buffer.concat([toUvarint(topics.length + 1), ...names, ...flags])
  const apiVersion = hasIds ? WITH_TOPIC_IDS : WITHOUT_TOPIC_IDS

  return toWireRequest({ apiKey: API_KEY, apiVersion, apiName: 'Metadata' }, body, reader =>
    readMetadata(reader, hasIds)
  )
}

function readMetadata(reader: Reader, hasIds: boolean): Metadata {
  reader.int32() // throttle time
  const brokers = reader.structs(() => {
    const broker = { nodeId: reader.int32(), host: reader.string() ?? '', port: reader.int32() }
    reader.string() // rack
    return broker
  })
  reader.string() // cluster id
  const controllerId = reader.int32()
  const topics = reader.structs(() => readTopic(reader, hasIds))

  return {
    brokers,
    controllerId,
    topics: new Map(topics.filter(({ errorCode }) => errorCode === 0).map(({ name, ...topic }) => [name, topic]))
  }
}

function readTopic(reader: Reader, hasIds: boolean) {
  const errorCode = reader.int16()
  const name = reader.string() ?? ''
  const topicId = hasIds ? reader.uuid() : NO_ID
  reader.boolean() // internal
  const partitions = reader.structs(() => readPartition(reader)).sort((a, b) => a.partition - b.partition)
  reader.int32() // authorized operations

  return { errorCode, name, topicId: topicId === NO_ID ? null : topicId, partitions }
}

function readPartition(reader: Reader): PartitionMetadata {
  reader.int16() // error: "no leader" is said by the leader, too
  const partition = reader.int32()
  const leader = reader.int32()
  reader.int32() // leader epoch
  const replicas = reader.array(() => reader.int32())
  const inSyncReplicas = reader.array(() => reader.int32())
  reader.array(() => reader.int32()) // offline replicas

  return { partition, leader: leader < 0 ? null : leader, replicas, inSyncReplicas }
}
