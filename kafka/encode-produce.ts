import { type EncodableRecord, encodeBatch } from './encode-batch.ts'

/** What KafkaJS asks of an encoder that it writes into another. */
interface Encoded {
  readonly buf: Buffer
  readonly buffer: Buffer
}

interface Long {
  toString(): string
}

/** A Produce request of KafkaJS, from version 3 on. */
export interface ProduceRequest {
  readonly acks: number
  readonly timeout: number
  readonly transactionalId?: string | null
  readonly producerId?: Long
  readonly producerEpoch?: number
  readonly compression?: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly firstSequence?: number
      readonly messages: readonly EncodableRecord[]
    }[]
  }[]
}

type Codec = NonNullable<Parameters<typeof encodeBatch>[2]['codec']>

/** Encodes the body of a Produce request that is no part of a transaction; `codec` is null where nothing is compressed. */
export async function encodeProduce(request: ProduceRequest, codec: Codec | null): Promise<Encoded> {
  const { acks, timeout, producerId = -1, producerEpoch = 0, compression = 0, topicData } = request
  const head = Buffer.allocUnsafe(12)
  head.writeInt16BE(-1, 0) // no transaction
  head.writeInt16BE(acks, 2)
  head.writeInt32BE(timeout, 4)
  head.writeInt32BE(topicData.length, 8)
  const parts: Buffer[] = [head]

  for (const { topic, partitions } of topicData) {
    parts.push(encodeTopic(topic, partitions.length))
    for (const { partition, firstSequence = 0, messages } of partitions) {
      const producer = { producerId: BigInt(producerId.toString()), producerEpoch, firstSequence }
      const batch = await encodeBatch(messages, producer, { compression, codec })
      const place = Buffer.allocUnsafe(8)
      place.writeInt32BE(partition, 0)
      place.writeInt32BE(batch.length, 4)
      parts.push(place, batch)
    }
  }
  const bytes = Buffer.concat(parts)
  return { buf: bytes, buffer: bytes }
}

function encodeTopic(topic: string, partitions: number): Buffer {
  const name = Buffer.from(topic)
  const bytes = Buffer.allocUnsafe(2 + name.length + 4)
  bytes.writeInt16BE(name.length, 0)
  name.copy(bytes, 2)
  bytes.writeInt32BE(partitions, 2 + name.length)
  return bytes
}

interface Framed {
  readonly correlationId: number
  readonly clientId: string | null
  readonly request: { readonly apiKey: number; readonly apiVersion: number; encode(): Promise<Encoded> }
}

/** Puts the head of a request before its body, with one copy of that where KafkaJS makes two, and grows a buffer for each. */
export async function frameRequest({ correlationId, clientId, request }: Framed): Promise<Encoded> {
  const body = (await request.encode()).buffer
  const client = Buffer.from(clientId ?? '')
  const head = 14 + client.length
  const bytes = Buffer.allocUnsafe(head + body.length)
  bytes.writeInt32BE(bytes.length - 4, 0)
  bytes.writeInt16BE(request.apiKey, 4)
  bytes.writeInt16BE(request.apiVersion, 6)
  bytes.writeInt32BE(correlationId, 8)
  bytes.writeInt16BE(clientId === null || clientId === undefined ? -1 : client.length, 12)
  client.copy(bytes, 14)
  body.copy(bytes, head)
  return { buf: bytes, buffer: bytes }
}
