import { partitionOf } from '../kafka/murmur2.ts'
import type { OutgoingRecord, Producer } from '../kafka/types.ts'
import { createEventId } from '../sdk/event-id.ts'
import { failpoint } from '../sdk/failpoints.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { gatewayErrors, withExtras } from './errors.ts'
import { within } from './within.ts'

/** A valid event with the bytes that go into Kafka. */
export interface ValidEvent {
  readonly event: unknown
  readonly value: Buffer
}

/** An event that every in-sync replica acknowledged. */
interface Accepted {
  readonly id: string
  readonly partition: number
  readonly offset: string
  readonly timestampMs: number
}

export type ProduceOutcome = Accepted | { readonly error: Error }

interface ProduceDependencies {
  readonly producer: Omit<Producer, 'close'>
  readonly timeoutMs: number
  readonly now: () => number
  /** Told of each event of a topic: `accepted`, or the code of the error. */
  readonly observe: (topic: string, result: string) => void
}

interface ProduceOptions {
  /** Passed on when it is one (https://www.w3.org/TR/trace-context/#traceparent-header). */
  readonly traceparent?: string | string[] | undefined
}

// The producer settles at its deadline by itself: this is for the case that it does not.
const GRACE_MS = 100
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/**
 * Builds the way of valid events into Kafka: id, key, partition, record.
 *
 * Gives one outcome an event, in their order; rejects only when not even the partitions are known, and then nothing was
 * written (SMG_GATEWAY_KAFKA_AWAY). Events of one key keep their order; without a key, a call goes to one partition.
 */
export function createProduce({ producer, timeoutMs, now, observe }: ProduceDependencies) {
  const turns = new Map<string, number>()

  return async function produce(
    definition: LoadedFunction,
    events: readonly ValidEvent[],
    { traceparent }: ProduceOptions = {}
  ): Promise<ProduceOutcome[]> {
    const { topic } = definition
    const startedMs = now()
    const partitions = await countPartitions(topic)

    const timestampMs = now()
    const turn = takeTurn(topic)
    const ids = events.map(() => createEventId(timestampMs))
    const records = events.map(({ event, value }, index): OutgoingRecord => {
      const text = definition.key(event)
      const key = text === null ? null : Buffer.from(text)
      const partition = key ? partitionOf(key, partitions) : turn % partitions
      return { partition, key, value, headers: toHeaders(ids[index] ?? '', traceparent), timestampMs }
    })
    const leftMs = Math.max(1, timeoutMs - (timestampMs - startedMs))
    const results = await append(topic, records, leftMs)
    await failpoint('after-produce-before-ack')

    return ids.map((id, index) => {
      const result = results[index] ?? { error: new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED() }
      if ('error' in result) {
        const error = toKafkaProblem(result.error, topic)
        observe(topic, error.code)
        return { error }
      }
      observe(topic, 'accepted')
      return { id, partition: result.partition, offset: result.offset, timestampMs }
    })
  }

  async function countPartitions(topic: string): Promise<number> {
    try {
      return await within(producer.partitionCount(topic), timeoutMs, () => new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY())
    } catch (thrown) {
      throw toKafkaProblem(thrown, topic)
    }
  }

  function append(topic: string, records: readonly OutgoingRecord[], leftMs: number) {
    const late = () => new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED()
    return within(producer.append(topic, records, { timeoutMs: leftMs }), leftMs + GRACE_MS, late).catch(error =>
      records.map(() => ({ error }))
    )
  }

  function takeTurn(topic: string): number {
    const turn = turns.get(topic) ?? 0
    turns.set(topic, (turn + 1) % 0x7fffffff)
    return turn
  }
}

export type Produce = ReturnType<typeof createProduce>

/** Translates an error of the Kafka room into one of ours, its cause kept. */
export function toKafkaProblem(thrown: unknown, topic: string) {
  const code = String((thrown as { code?: unknown } | null)?.code ?? '')
  const error = TRANSLATIONS[code]?.(topic) ?? new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
  return withExtras(error, error.statusCode === 503 ? { cause: thrown, retryAfterSeconds: 1 } : { cause: thrown })
}

// The rest of the Kafka room's errors mean that nothing was written and that it passes.
const TRANSLATIONS: Record<string, (topic: string) => Error & { code: string; statusCode?: number }> = {
  SMG_GATEWAY_NOT_ACKNOWLEDGED: () => new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED(),
  SMG_KAFKA_UNKNOWN_OUTCOME: () => new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED(),
  SMG_KAFKA_QUEUE_FULL: () => new gatewayErrors.SMG_GATEWAY_OVERLOADED(),
  SMG_KAFKA_TOO_LARGE: topic => new gatewayErrors.SMG_GATEWAY_TOPIC_TOO_SMALL(topic),
  SMG_KAFKA_BAD_RECORD: () => new gatewayErrors.SMG_GATEWAY_INTERNAL()
}

function toHeaders(id: string, traceparent: ProduceOptions['traceparent']) {
  const headers = { id, 'content-type': 'application/json', 'producer-id': 'smg-kafka-producer' }
  const isValid = typeof traceparent === 'string' && TRACEPARENT.test(traceparent)
  return isValid ? { ...headers, traceparent } : headers
}
