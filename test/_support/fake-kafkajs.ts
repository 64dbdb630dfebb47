import { createProducer, type ProducerOptions } from '../../kafka/producer.ts'
import type { InnerProducer, TopicMessages } from '../../kafka/sender.ts'
import type { OutgoingRecord, Producer } from '../../kafka/types.ts'
import { silent } from './kafka.ts'

type SendBatch = InnerProducer['sendBatch']
type Acknowledgements = Awaited<ReturnType<SendBatch>>

/**
 * What a fake of KafkaJS's producer does with a batch; `call` counts from 0 over all producers, `met` are the topics that
 * this one was ever sent.
 */
export type Behaviour = (
  batch: TopicMessages[],
  call: number,
  log: FakeLog,
  met: ReadonlySet<string>
) => Promise<Acknowledgements>

/** The log of a made-up cluster, for answers that no real broker can be made to give. */
export interface FakeLog {
  /** Writes the batch, or the part of it that `only` holds for, and acknowledges that part. */
  write(batch: TopicMessages[], only?: (topic: string, partition: number) => boolean): Acknowledgements
  /** Texts of a partition's values in the order of their offsets. */
  values(topic: string, partition?: number): string[]
}

/** Builds an empty log. */
function createFakeLog(): FakeLog {
  const partitions = new Map<string, string[]>()

  return {
    write(batch, only = () => true) {
      const written = new Map<string, Acknowledgements[number]>()
      for (const { topic, messages } of batch) {
        for (const { partition, value } of messages) {
          if (!only(topic, partition)) continue
          const place = `${topic}/${partition}`
          const values = partitions.get(place) ?? []
          partitions.set(place, values)
          if (!written.has(place)) {
            written.set(place, { topicName: topic, partition, errorCode: 0, baseOffset: String(values.length) })
          }
          values.push(String(value))
        }
      }
      return [...written.values()]
    },
    values: (topic, partition = 0) => partitions.get(`${topic}/${partition}`) ?? []
  }
}

/** Makes an error as KafkaJS rejects with it: what the broker said is in a cause. */
export function kafkaJsError(type: string): Error {
  const cause = Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type })
  return Object.assign(new Error(type, { cause }), { name: 'KafkaJSNumberOfRetriesExceeded' })
}

/** Settings of the producer under test. */
export interface FakeOptions extends Partial<ProducerOptions> {
  readonly lanes?: number
  readonly lingerMs?: number
  readonly connect?: () => Promise<void>
}

/** Builds a producer on a made-up cluster, with every batch that was sent and how many inner producers were made. */
export function createFakeProducer(
  behave: Behaviour,
  { lanes = 1, lingerMs = 0, connect, ...options }: FakeOptions = {}
) {
  const log = createFakeLog()
  const batches: TopicMessages[][] = []
  const seen = { log, batches, opened: 0, disconnected: 0 }
  const open = (): InnerProducer => {
    const met = new Set<string>()
    seen.opened += 1
    return {
      connect: connect ?? (async () => undefined),
      sendBatch: ({ topicMessages }) => {
        batches.push(topicMessages)
        for (const { topic } of topicMessages) met.add(topic)
        return behave(topicMessages, batches.length - 1, log, met)
      },
      disconnect: async () => {
        seen.disconnected += 1
      }
    }
  }
  const client = {
    brokers: [],
    toKafkaTopic: (topic: string) => `p.${topic}`,
    unwritableCodecs: new Set<never>(),
    producer: open as never,
    cluster: () => {
      throw new Error('a fake has no cluster')
    }
  }
  const settings = {
    PRODUCER_LANES: lanes,
    PRODUCER_LINGER_MS: lingerMs,
    PRODUCER_BATCH_BYTES: 524_288,
    PRODUCER_COMPRESSION: 'none' as const
  }
  const producer: Producer = createProducer(client, settings, { log: silent, ...options })
  return { producer, ...seen, seen }
}

/** Makes a record whose value is `text`. */
export function record(text: string, { partition = 0, ...rest }: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { partition, key: null, value: Buffer.from(text), headers: {}, timestampMs: 1_700_000_000_000, ...rest }
}
