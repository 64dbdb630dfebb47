import { type Consumer, Kafka, type KafkaMessage, logLevel } from 'kafkajs'

/** Where a consumer of the bench reads and writes. */
export const place = {
  brokers: (process.env.KAFKA_BROKERS ?? '').split(','),
  databaseUrl: process.env.DATABASE_URL ?? '',
  kafkaTopic: process.env.BENCH_TOPIC ?? '',
  groupId: process.env.BENCH_GROUP ?? '',
  topic: 'user-activities'
}

/** Rows of one INSERT: 65,535 parameters are allowed, and a message has eight. */
const BATCH = 500
const PARTITIONS_AT_ONCE = 3

/** Connects a consumer of the topic from its beginning, and ends it with SIGTERM. */
export async function openConsumer(close: () => Promise<void>): Promise<Consumer> {
  const kafka = new Kafka({ clientId: 'contender', brokers: place.brokers, logLevel: logLevel.WARN })
  const consumer = kafka.consumer({ groupId: place.groupId })
  process.once('SIGTERM', async () => {
    await consumer.disconnect()
    await close()
    process.exit(0)
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [place.kafkaTopic], fromBeginning: true })
  return consumer
}

/** Reads batches, some partitions at once, and gives `write` the rows of some records at a time. */
export function consumeBatches(consumer: Consumer, write: (rows: ReturnType<typeof toRows>[]) => Promise<unknown>) {
  return consumer.run({
    partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      for (let first = 0; first < batch.messages.length; first += BATCH) {
        const records = batch.messages.slice(first, first + BATCH)
        await write(records.map(record => toRows(batch.partition, record)))
        resolveOffset(records.at(-1)?.offset ?? '0')
        await heartbeat()
      }
    }
  })
}

/** The two rows of a message, as our runner writes them. */
export function toRows(partition: number, message: KafkaMessage) {
  const value = String(message.value)
  const event = JSON.parse(value)
  const headers = Object.fromEntries(
    Object.entries(message.headers ?? {}).map(([name, header]) => [name, String(header)])
  )
  const id = headers.id ?? ''
  const timestamp = new Date(Number(message.timestamp)).toISOString()
  return {
    message: {
      topic: place.topic,
      id,
      partition,
      offset: message.offset,
      key: String(message.key),
      value,
      headers: JSON.stringify(headers),
      timestamp
    },
    activity: {
      id,
      userId: String(event.userId),
      action: String(event.action),
      metadata: event.metadata ?? {},
      occurredAt: String(event.timestamp ?? timestamp)
    }
  }
}
