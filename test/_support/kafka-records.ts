import { randomUUID } from 'node:crypto'
import type { KafkaMessage } from 'kafkajs'
import type { KafkaClient } from '../../kafka/client.ts'
import { until } from './kafka.ts'

/** One record as KafkaJS reads it. */
export type ReadRecord = KafkaMessage & { readonly partition: number }

/** Reads a topic from its beginning until `count` records were seen; in the order of each partition. */
export async function readRecords(client: KafkaClient, topic: string, count: number): Promise<ReadRecord[]> {
  const consumer = client.consumer({ groupId: `t-${randomUUID()}`, maxWaitTimeInMs: 100 })
  const records: ReadRecord[] = []

  try {
    await consumer.connect()
    await consumer.subscribe({ topic: client.toKafkaTopic(topic), fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => void records.push({ ...message, partition })
    })
    await until(() => records.length >= count, 20_000)
  } finally {
    await consumer.disconnect()
  }
  return records
}
