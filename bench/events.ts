import { Kafka, logLevel } from 'kafkajs'
import { partitionOf } from '../kafka/murmur2.ts'
import { createEventId } from '../sdk/event-id.ts'

/** An event of `user-activities`, as the gateway writes it. */
export interface BenchEvent {
  readonly id: string
  readonly partition: number
  readonly key: string
  readonly value: string
  readonly timestampMs: number
}

const PARTITIONS = 3
const USERS = 5_000
const ACTIONS = ['login', 'logout', 'search', 'add-to-cart', 'purchase']
const BATCH = 2_000
/** What a busy gateway takes: times and ids go up as they do there. */
const EVENTS_PER_MS = 10

/** Makes events whose values are about 200 bytes long; the same numbers give the same values. */
export function makeEvents(count: number): BenchEvent[] {
  const startMs = Date.now() - Math.ceil(count / EVENTS_PER_MS)
  return Array.from({ length: count }, (_, number) => {
    const timestampMs = startMs + Math.floor(number / EVENTS_PER_MS)
    const userId = `user-${String((number * 7_919) % USERS).padStart(5, '0')}`
    const event = {
      userId,
      action: ACTIONS[number % ACTIONS.length],
      timestamp: new Date(timestampMs - (number % 50)).toISOString(),
      metadata: {
        page: `/products/${number % 997}`,
        referrer: 'https://example.org/',
        session: number,
        isMobile: number % 3 === 0
      }
    }
    return {
      id: createEventId(timestampMs),
      partition: partitionOf(Buffer.from(userId), PARTITIONS),
      key: userId,
      value: JSON.stringify(event),
      timestampMs
    }
  })
}

/** Makes a topic and writes events into it. */
export async function fillTopic(brokers: string, topic: string, events: readonly BenchEvent[]): Promise<void> {
  const kafka = new Kafka({ clientId: 'bench', brokers: brokers.split(','), logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }]
  })
  await admin.disconnect()

  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  for (let first = 0; first < events.length; first += BATCH) {
    await producer.send({ topic, messages: events.slice(first, first + BATCH).map(toMessage) })
  }
  await producer.disconnect()
}

function toMessage({ id, partition, key, value, timestampMs }: BenchEvent) {
  const headers = { id, 'content-type': 'application/json', 'producer-id': 'smg-kafka-producer' }
  return { partition, key, value, headers, timestamp: String(timestampMs) }
}
