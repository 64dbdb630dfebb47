import { randomUUID } from 'node:crypto'
import type { KafkaMessage } from 'kafkajs'
import type { KafkaClient } from '../../kafka/client.ts'
import { DecodedRecord } from '../../kafka/decode-batch.ts'
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
      eachMessage: async ({ partition, message }) => void records.push({ ...toStock(message), partition })
    })
    await until(() => records.length >= count, 20_000)
  } finally {
    await consumer.disconnect()
  }
  return records
}

/** What our decoder reads, in the form of KafkaJS's own: headers by name. */
function toStock(message: KafkaMessage): KafkaMessage {
  if (!(message instanceof DecodedRecord)) return message
  const { offset, timestampMs, key, value, headers } = message as DecodedRecord
  const byName = new Map<string, (Buffer | null)[]>()
  for (const [name, header] of headers) byName.set(name, [...(byName.get(name) ?? []), header])
  const all = [...byName].map(([name, values]) => [name, values.length > 1 ? values : values[0]])
  const stock = { attributes: 0, offset, timestamp: String(timestampMs), key, value, headers: Object.fromEntries(all) }
  return stock as unknown as KafkaMessage
}
