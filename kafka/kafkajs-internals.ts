import { createRequire } from 'node:module'
import type { Kafka, KafkaMessage, PartitionAssigner } from 'kafkajs'

const require = createRequire(import.meta.url)

/** A request in the shape of KafkaJS's protocol modules. */
export interface WireRequest<T> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<unknown>
  }
  readonly response: {
    decode(raw: Buffer): Promise<T>
    parse(decoded: T): Promise<T>
  }
}

/** What a broker's answer has for one partition. */
export interface FetchedPartition {
  readonly partition: number
  readonly highWatermark: string
  readonly messages: readonly unknown[]
}

interface PartitionOffset {
  readonly partition: number
  readonly offset: string
}

/** The part of KafkaJS's broker that this room uses. Each call rejects with KafkaJS's errors. */
export interface Broker {
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null
  readonly connectionPool: { send<T>(request: WireRequest<T>): Promise<T> }
  connect(): Promise<void>
  disconnect(): Promise<void>
  listOffsets(request: {
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }): Promise<{ responses: { topic: string; partitions: PartitionOffset[] }[] }>
  findGroupCoordinator(request: {
    groupId: string
    coordinatorType: number
  }): Promise<{ coordinator: { nodeId: number; host: string; port: number } }>
  offsetFetch(request: {
    groupId: string
    topics: { topic: string; partitions: { partition: number }[] }[]
  }): Promise<{ responses: { topic: string; partitions: PartitionOffset[] }[] }>
  describeGroups(request: { groupIds: readonly string[] }): Promise<{
    groups: {
      groupId: string
      state: string
      members: { memberId: string; clientId: string; clientHost: string; memberAssignment: Buffer }[]
    }[]
  }>
  fetch(request: {
    isolationLevel: number
    maxWaitTime: number
    maxBytes: number
    topics: {
      topic: string
      partitions: { partition: number; fetchOffset: string; maxBytes: number; currentLeaderEpoch: number }[]
    }[]
  }): Promise<{ responses: { topicName: string; partitions: FetchedPartition[] }[] }>
  createTopics(request: {
    topics: {
      topic: string
      numPartitions: number
      replicationFactor: number
      configEntries: { name: string; value: string }[]
    }[]
    timeout: number
  }): Promise<unknown>
  createPartitions(request: { topicPartitions: { topic: string; count: number }[]; timeout: number }): Promise<unknown>
  describeConfigs(request: { resources: { type: number; name: string; configNames: string[] }[] }): Promise<{
    resources: { resourceName: string; configEntries: { configName: string; configValue: string }[] }[]
  }>
}

/** The part of KafkaJS's cluster that makes brokers. */
export interface Cluster {
  readonly rootLogger: unknown
  readonly connectionPoolBuilder: { build(address: { host: string; port: number }): Promise<unknown> }
  readonly brokerPool: { createBroker(options: { connectionPool: unknown; logger: unknown }): Broker }
}

/**
 * Gives the cluster behind a client of KafkaJS. A partition assigner is handed it, by KafkaJS's public types; the
 * consumer that carries the assigner joins no group and is never connected.
 */
export function findCluster({ AssignerProtocol }: typeof import('kafkajs'), kafka: Kafka): Cluster {
  const found: Cluster[] = []
  const door: PartitionAssigner = ({ cluster }) => {
    found.push(cluster as unknown as Cluster)
    return {
      name: 'door',
      version: 0,
      assign: async () => [],
      protocol: ({ topics }) => ({
        name: 'door',
        metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) })
      })
    }
  }
  kafka.consumer({ groupId: 'door', partitionAssigners: [door], allowAutoTopicCreation: false })
  return found[0] as Cluster
}

/** Wraps bytes as KafkaJS's requests want them. */
export function toEncoder(bytes: Buffer): unknown {
  const Encoder: new () => { writeBuffer(bytes: Buffer): unknown } = require('kafkajs/src/protocol/encoder')
  return new Encoder().writeBuffer(bytes)
}

/** Gives the messages of a fetch at or above `offset`, without control records and those of aborted transactions. */
export function toMessages(topic: string, offset: bigint, partition: FetchedPartition): KafkaMessage[] {
  const Batch: new (
    topic: string,
    fetchedOffset: string,
    partition: FetchedPartition
  ) => { messages: KafkaMessage[] } = require('kafkajs/src/consumer/batch')
  return new Batch(topic, String(offset), partition).messages
}

/** Gives the error of KafkaJS for one of Kafka's error codes. */
export function toProtocolError(errorCode: number): Error {
  const {
    createErrorFromCode
  }: { createErrorFromCode: (code: number) => Error } = require('kafkajs/src/protocol/error')
  return createErrorFromCode(errorCode)
}
