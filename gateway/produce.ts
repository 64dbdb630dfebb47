import type { StoredPlan } from '../db/queries/idempotency.ts'
import type { PlannedRecord } from '../db/tables/idempotency-keys.ts'
import { partitionOf } from '../kafka/murmur2.ts'
import type { OutgoingRecord, Producer } from '../kafka/types.ts'
import { createEventId } from '../sdk/event-id.ts'
import { failpoint, hasFailpoints } from '../sdk/failpoints.ts'
import { findTraceId } from '../sdk/trace.ts'
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
  /** Stamps events: epoch in milliseconds. */
  readonly now: () => number
  /** Told of each event of a topic, with the code of its error: empty when it was accepted. */
  readonly onSent: (topic: string, error: string) => void
}

export interface ProduceOptions {
  /** Passed on when it is one (https://www.w3.org/TR/trace-context/#traceparent-header). */
  readonly traceparent?: string | string[] | undefined
}

interface OfferOptions extends ProduceOptions {
  /** The offer before this one of the same request: events without a key go where its own went, and wait for room. */
  readonly after?: Offered | undefined
  /** Aborted when the events are not wanted any more: what was not sent by then is not. */
  readonly signal?: AbortSignal | undefined
}

/** Events that the producer has. */
export interface Offered {
  /** One an event, in their order; rejects never. */
  readonly outcomes: Promise<ProduceOutcome[]>
  /** Where events without a key go. */
  readonly turn: number
}

interface SendOptions extends ProduceOptions {
  /** Waits for room where too much waits already. */
  readonly isPatient?: boolean
  readonly signal?: AbortSignal | undefined
  /** When the request began, of `performance.now()`: the deadline is `timeoutMs` after it. */
  readonly startedMs: number
}

/** Where events of one request go, before anything is sent. */
interface Plan {
  /** Of all its records. */
  readonly timestampMs: number
  /** One an event, in their order. */
  readonly records: readonly AddressedEvent[]
}

interface AddressedEvent extends PlannedRecord {
  readonly key: Buffer | null
  readonly value: Buffer
}

/**
 * Builds the way of valid events into Kafka: id, key, partition, record. Events of one key keep their order; without a
 * key, a call goes to one partition.
 */
export function createProduce({ producer, timeoutMs, now, onSent }: ProduceDependencies) {
  const turns = new Map<string, number>()

  return { produce, offer, plan, replan, send }

  /**
   * Gives one outcome an event, in their order; rejects only when not even the partitions are known, and then nothing
   * was written (SMG_GATEWAY_KAFKA_AWAY).
   */
  async function produce(
    definition: LoadedFunction,
    events: readonly ValidEvent[],
    { traceparent }: ProduceOptions = {}
  ): Promise<ProduceOutcome[]> {
    const startedMs = performance.now()
    const planned = plan(definition, events)
    return send(definition.topic, planned instanceof Promise ? await planned : planned, { startedMs, traceparent })
  }

  /**
   * Resolves when the producer has the events, or has refused them: of two offers, the second made after that, the events of a
   * key keep their order. Rejects as `produce` does.
   */
  async function offer(
    definition: LoadedFunction,
    events: readonly ValidEvent[],
    { traceparent, after, signal }: OfferOptions = {}
  ): Promise<Offered> {
    const startedMs = performance.now()
    const turn = after?.turn ?? takeTurn(definition.topic)
    const planned = await plan(definition, events, turn)
    const isPatient = after !== undefined
    return { turn, outcomes: send(definition.topic, planned, { startedMs, traceparent, isPatient, signal }) }
  }

  /** Gives new events their ids and partitions. Rejects with SMG_GATEWAY_KAFKA_AWAY when these are not known. */
  function plan(
    definition: LoadedFunction,
    events: readonly ValidEvent[],
    turn: number = takeTurn(definition.topic)
  ): Plan | Promise<Plan> {
    // Mostly known: a promise for nothing is a part of what an event costs.
    const partitions = countPartitions(definition.topic)
    if (typeof partitions === 'number') return address(definition, events, { partitions, turn })
    return partitions.then(count => address(definition, events, { partitions: count, turn }))
  }

  function address(
    definition: LoadedFunction,
    events: readonly ValidEvent[],
    { partitions, turn }: { readonly partitions: number; readonly turn: number }
  ): Plan {
    const timestampMs = now()
    const records = events.map(({ event, value }) => {
      const key = toKey(definition, event)
      const partition = key ? partitionOf(key, partitions) : turn % partitions
      return { id: createEventId(timestampMs), partition, key, value }
    })
    return { timestampMs, records }
  }

  /** Sends each record of a plan, and gives one outcome a record. Rejects never. */
  async function send(
    topic: string,
    { timestampMs, records }: Plan,
    { startedMs, traceparent, isPatient = false, signal }: SendOptions
  ): Promise<ProduceOutcome[]> {
    const outgoing = records.map(({ id, partition, key, value }): OutgoingRecord => {
      return { partition, key, value, headers: toHeaders(id, traceparent), timestampMs }
    })
    const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
    const results = await producer.append(topic, outgoing, { timeoutMs: leftMs, isPatient, signal })
    if (hasFailpoints()) await failpoint('after-produce-before-ack')

    return records.map(({ id }, index) => {
      const result = results[index] ?? { error: new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED() }
      if ('error' in result) {
        const error = toKafkaProblem(result.error, topic)
        onSent(topic, error.code)
        return { error }
      }
      onSent(topic, '')
      return { id, partition: result.partition, offset: result.offset, timestampMs }
    })
  }

  function countPartitions(topic: string): number | Promise<number> {
    const count = producer.partitionCount(topic)
    if (typeof count === 'number') return count
    const away = () => new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
    return within(count, timeoutMs, away).catch(thrown => {
      throw toKafkaProblem(thrown, topic)
    })
  }

  function takeTurn(topic: string): number {
    const turn = turns.get(topic) ?? 0
    turns.set(topic, (turn + 1) % 0x7fffffff)
    return turn
  }
}

export type Producing = ReturnType<typeof createProduce>

/** Gives events the ids and partitions that they were planned with before, one an event. */
function replan(definition: LoadedFunction, events: readonly ValidEvent[], stored: StoredPlan): Plan {
  const records = events.map(({ event, value }, index) => {
    const { id, partition } = stored.records[index] as PlannedRecord
    return { id, partition, key: toKey(definition, event), value }
  })
  return { timestampMs: stored.timestampMs, records }
}

function toKey(definition: LoadedFunction, event: unknown): Buffer | null {
  const text = definition.key(event)
  return text === null ? null : Buffer.from(text)
}

/** Translates an error of the Kafka room into one of ours, its cause kept. */
export function toKafkaProblem(thrown: unknown, topic: string) {
  const code = String((thrown as { code?: unknown } | null)?.code ?? '')
  const error = TRANSLATIONS[code]?.(topic) ?? new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
  return withExtras(error, error.statusCode === 503 ? { cause: thrown, retryAfterSeconds: 1 } : { cause: thrown })
}

// The rest of the Kafka room's errors mean that nothing was written and that it passes.
const TRANSLATIONS: Record<string, (topic: string) => Error & { code: string; statusCode?: number }> = {
  SMG_KAFKA_UNKNOWN_OUTCOME: () => new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED(),
  SMG_KAFKA_QUEUE_FULL: () => new gatewayErrors.SMG_GATEWAY_OVERLOADED(),
  SMG_KAFKA_TOO_LARGE: topic => new gatewayErrors.SMG_GATEWAY_TOPIC_TOO_SMALL(topic),
  SMG_KAFKA_BAD_RECORD: () => new gatewayErrors.SMG_GATEWAY_INTERNAL()
}

function toHeaders(id: string, traceparent: ProduceOptions['traceparent']) {
  const headers = { id, 'content-type': 'application/json', 'producer-id': 'smg-kafka-producer' }
  const isValid = findTraceId(traceparent) !== undefined
  return isValid ? { ...headers, traceparent: String(traceparent) } : headers
}
