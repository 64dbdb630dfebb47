import { setTimeout as sleep } from 'node:timers/promises'
import { bounded } from './bounded.ts'
import type { KafkaClient } from './client.ts'
import { kafkaErrors } from './errors.ts'
import { findErrorType, toFailureKind, toKafkaError } from './failure.ts'
import type { Broker, Cluster } from './kafkajs-internals.ts'
import { type Metadata, metadataRequest } from './metadata.ts'

const METADATA_API_KEY = 3
const CALL_TIMEOUT_MS = 5_000
const ANSWER_TIMEOUT_MS = 2_000
const RETRY_MS = 100

/** Connections to brokers for single requests, made when they are needed and made anew when they broke. */
export interface Link {
  /** Runs `work`, again while what fails is the world's, for 5 s in all. Rejects with kafkaErrors. */
  call<T>(work: () => Promise<T>): Promise<T>
  /** Asks any broker that answers. Topics by their name in Kafka. For use inside `call`, as the next three. */
  metadata(topics: readonly string[]): Promise<Metadata>
  /** Asks any broker that answers. */
  any<T>(ask: (broker: Broker) => Promise<T>): Promise<T>
  /** Asks the broker of an id. */
  node<T>(nodeId: number, ask: (broker: Broker) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * Builds a link to the brokers of a client. KafkaJS's admin is not used: it asks for the metadata of every topic of the
 * cluster, and one partition without a leader anywhere fails all of it.
 */
export function createLink(client: Pick<KafkaClient, 'brokers' | 'cluster' | 'log'>): Link {
  const connections = new Map<string, Promise<Broker>>()
  const addresses = new Map<number, string>()
  let cluster: Cluster | undefined

  async function connect(address: string): Promise<Broker> {
    cluster ??= client.cluster()
    const [host = '', port] = address.split(':')
    const connectionPool = await cluster.connectionPoolBuilder.build({ host, port: Number(port) })
    return cluster.brokerPool.createBroker({ connectionPool, logger: cluster.rootLogger })
  }

  async function ask<T>(address: string, question: (broker: Broker) => Promise<T>): Promise<T> {
    const connection = connections.get(address) ?? connect(address)
    connections.set(address, connection)
    try {
      return await bounded(answer(connection, question), ANSWER_TIMEOUT_MS)
    } catch (error) {
      // Not a broker's word: the connection is broken, or half-open and silent for longer than anybody waits here.
      if (!findErrorType(error)) await drop(address, connection)
      throw error
    }
  }

  async function drop(address: string, connection: Promise<Broker>): Promise<void> {
    // One of those whose answers did not come does it for all.
    if (connections.get(address) !== connection) return
    connections.delete(address)
    await Promise.allSettled([connection.then(broker => broker.disconnect())])
  }

  async function any<T>(question: (broker: Broker) => Promise<T>): Promise<T> {
    const known = new Set([...addresses.values(), ...client.brokers])
    let failure: unknown

    for (const address of known) {
      try {
        return await ask(address, question)
      } catch (error) {
        if (toFailureKind(error) !== 'world') throw error
        failure = error
      }
    }
    throw failure
  }

  async function metadata(topics: readonly string[]): Promise<Metadata> {
    const found = await any(({ versions, connectionPool }) =>
      connectionPool.send(metadataRequest(topics, { maxVersion: versions?.[METADATA_API_KEY]?.maxVersion ?? 0 }))
    )
    addresses.clear()
    for (const { nodeId, host, port } of found.brokers) addresses.set(nodeId, `${host}:${port}`)
    return found
  }

  async function node<T>(nodeId: number, question: (broker: Broker) => Promise<T>): Promise<T> {
    if (!addresses.has(nodeId)) await metadata([])
    const address = addresses.get(nodeId)
    if (!address) throw new kafkaErrors.SMG_KAFKA_UNAVAILABLE(`broker ${nodeId} is away`)
    return ask(address, question)
  }

  async function attempt<T>(work: () => Promise<T>, deadlineMs: number): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (toFailureKind(error) !== 'world' || performance.now() + RETRY_MS >= deadlineMs) throw error
      await sleep(RETRY_MS)
      return attempt(work, deadlineMs)
    }
  }

  async function close(): Promise<void> {
    await Promise.all([...connections].map(([address, connection]) => drop(address, connection)))
  }

  return {
    any,
    metadata,
    node,
    close,
    async call(work) {
      try {
        return await bounded(attempt(work, performance.now() + CALL_TIMEOUT_MS), CALL_TIMEOUT_MS)
      } catch (error) {
        throw toKafkaError(error)
      }
    }
  }
}

async function answer<T>(connection: Promise<Broker>, question: (broker: Broker) => Promise<T>): Promise<T> {
  const broker = await connection
  // Does nothing while it is connected.
  await broker.connect()
  return question(broker)
}
