import { Kafka, logLevel } from 'kafkajs'
import { partitionOf } from '../kafka/murmur2.ts'
import { createEventId } from '../sdk/event-id.ts'
import { createTopic, PARTITIONS } from './topics.ts'

/** An event of `user-activities`, as the gateway writes it. */
export interface BenchEvent {
  readonly id: string
  readonly partition: number
  readonly key: string
  readonly value: string
  readonly timestampMs: number
}

const USERS = 5_000
const ACTIONS = ['login', 'logout', 'search', 'add-to-cart', 'purchase']
const BATCH_BYTES = 400_000
const WORDS = [
  'sort',
  'wide',
  'of',
  'filter',
  'blue',
  'cart',
  'a',
  'size',
  'from',
  'page',
  'sale',
  'new',
  'list',
  'the'
]
/** What a busy gateway takes: times and ids go up as they do there. */
const EVENTS_PER_MS = 10

/** What events are like. */
export interface EventOptions {
  /** Of their topic. Default: 3. */
  readonly partitions?: number
  /** Of a value, about; 200 at least, which is the default. */
  readonly bytes?: number
}

/** Makes events; the same numbers give the same values. */
export function makeEvents(count: number, { partitions = PARTITIONS, bytes = 0 }: EventOptions = {}): BenchEvent[] {
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
    const value = pad(event, number, bytes)
    return {
      id: createEventId(timestampMs),
      partition: partitionOf(Buffer.from(userId), partitions),
      key: userId,
      value,
      timestampMs
    }
  })
}

// Words, and not one letter: what compresses to nothing would take no room in PostgreSQL.
function pad(event: { readonly metadata: object }, number: number, bytes: number): string {
  const value = JSON.stringify(event)
  const missing = bytes - value.length - ',"text":""'.length
  if (missing <= 0) return value
  let text = ''
  for (let seed = number + 1; text.length < missing; seed = (seed * 48_271) % 2_147_483_647)
    text += `${WORDS[seed % WORDS.length]} `
  return JSON.stringify({ ...event, metadata: { ...event.metadata, text: text.slice(0, missing) } })
}

/** Makes a topic and writes events into it. */
export async function fillTopic(
  brokers: string,
  topic: string,
  events: readonly BenchEvent[],
  partitions = PARTITIONS
): Promise<void> {
  await createTopic(brokers, topic, partitions)
  const kafka = new Kafka({ clientId: 'bench', brokers: brokers.split(','), logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const batch = Math.max(1, Math.floor(BATCH_BYTES / (events[0]?.value.length ?? 1)))
  for (let first = 0; first < events.length; first += batch) {
    await producer.send({ topic, messages: events.slice(first, first + batch).map(toMessage) })
  }
  await producer.disconnect()
}

function toMessage({ id, partition, key, value, timestampMs }: BenchEvent) {
  const headers = { id, 'content-type': 'application/json', 'producer-id': 'smg-kafka-producer' }
  return { partition, key, value, headers, timestamp: String(timestampMs) }
}
