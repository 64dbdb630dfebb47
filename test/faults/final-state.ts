import type { Sql } from 'postgres'
import type { Cluster } from './cluster.ts'
import { retry } from './postgres.ts'

/** A record as it lies in Kafka. */
export interface LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Records of one event share it: the gateway's id, a CloudEvent's, or for all others the place. */
  readonly identity: string
  /** The header `id` of a record of the gateway. */
  readonly eventId: string | null
  /** From the value; null when there is none to be read. */
  readonly ref: string | null
}

/** An effect in a function's table. */
export interface Effect {
  readonly topic: string
  readonly ref: string
  readonly key: string
  readonly seq: number
  /** Ascending; effects with the same order have none among them. */
  readonly order: bigint
  /** Counts the effects of its key; null where there is no such counter. */
  readonly counter: number | null
}

export interface DeadLetterRow {
  readonly topic: string
  readonly eventId: string
  readonly partition: number
  readonly offset: bigint
  readonly ref: string | null
  readonly stage: string
  readonly disposition: string
  /** `resolved`: a redrive gave it its effect. */
  readonly state: string
  readonly error: string
  /** Where copies of it were met. */
  readonly copies: readonly (readonly [partition: number, offset: bigint])[]
}

interface MessageRow {
  readonly topic: string
  readonly id: string
  readonly partition: number
  readonly offset: bigint
}

interface PositionRow {
  readonly topic: string
  readonly partition: number
  readonly nextOffset: bigint
}

/** Where the log of a partition begins and ends. */
export interface LogBounds {
  readonly topic: string
  readonly partition: number
  readonly low: bigint
  readonly high: bigint
}

/** All that is left of a schedule, read past the product. */
export interface FinalState {
  readonly log: readonly LogRecord[]
  readonly bounds: readonly LogBounds[]
  readonly effects: readonly Effect[]
  readonly deadLetters: readonly DeadLetterRow[]
  readonly messages: readonly MessageRow[]
  readonly positions: readonly PositionRow[]
  /** Refs that a revoked attempt wrote. */
  readonly late: readonly string[]
  readonly outboxRows: number
}

const TOPICS = ['entries', 'fragile', 'laggards', 'ledger', 'orders', 'poison', 'shipments'] as const
const READ_TIMEOUT_MS = 60_000

/** Gives the bounds of all partitions of a schedule. */
export async function readBounds(cluster: Cluster, topicPrefix: string): Promise<LogBounds[]> {
  const bounds = await cluster.withAdmin(admin =>
    Promise.all(
      TOPICS.map(async topic =>
        (await admin.fetchTopicOffsets(`${topicPrefix}${topic}`)).map(({ partition, low, high }) => ({
          topic,
          partition,
          low: BigInt(low),
          high: BigInt(high)
        }))
      )
    )
  )
  return bounds.flat()
}

/** Reads the whole log with a consumer of its own. */
export async function readLog(
  cluster: Cluster,
  topicPrefix: string,
  bounds: readonly LogBounds[]
): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  const left = new Map<string, bigint>()
  for (const { topic, partition, low, high } of bounds) if (high > low) left.set(`${topic}/${partition}`, high)
  if (left.size === 0) return records

  const groupId = `${topicPrefix}checker-${Date.now()}`
  const consumer = cluster.kafka.consumer({ groupId, maxWaitTimeInMs: 100, sessionTimeout: 30_000 })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: TOPICS.map(topic => `${topicPrefix}${topic}`), fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the log cannot be read: ${[...left.keys()]}`)), READ_TIMEOUT_MS)
      const finish = () => {
        clearTimeout(timer)
        resolve()
      }
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
      consumer
        .run({
          autoCommit: false,
          partitionsConsumedConcurrently: 8,
          eachBatch: async ({ batch }) => {
            const topic = batch.topic.slice(topicPrefix.length)
            const place = `${topic}/${batch.partition}`
            for (const message of batch.messages) records.push(toRecord(topic, batch.partition, message))
            const end = left.get(place)
            if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) left.delete(place)
            if (left.size === 0) finish()
          }
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect().catch(() => undefined)
  }
  // KafkaJS may hand over a batch twice when it joins again.
  const seen = new Map(records.map(record => [`${record.topic}/${record.partition}/${record.offset}`, record]))
  return [...seen.values()].sort(byPlace)
}

interface RawRecord {
  readonly offset: string
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>
}

function toRecord(topic: string, partition: number, { offset, value, headers = {} }: RawRecord): LogRecord {
  const text = (name: string) => headers[name]?.toString() ?? null
  const isOurs = text('producer-id') === 'smg-kafka-producer'
  const eventId = isOurs ? text('id') : null
  const source = text('ce_source')
  const identity =
    (eventId && `id:${eventId}`) ??
    (source === null ? `place:${partition}/${offset}` : `ce:${source}/${text('ce_id')}/${text('ce_time')}`)
  return { topic, partition, offset: BigInt(offset), identity, eventId, ref: refOf(value) }
}

/** Gives the ref in the bytes of an event; null when they are none. */
function refOf(value: Buffer | null): string | null {
  try {
    const event = JSON.parse(value?.toString() ?? '')
    return typeof event?.ref === 'string' ? event.ref : null
  } catch {
    return null
  }
}

function byPlace(a: LogRecord, b: LogRecord): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition || Number(a.offset - b.offset)
}

/** Reads what the system wrote; all tables as of one moment. */
export async function readTables(sql: Sql): Promise<Omit<FinalState, 'log' | 'bounds'>> {
  return retry(() =>
    sql.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', async tx => {
      const effects = await tx`
        SELECT 'entries' AS topic, ref, key, seq, xid::text AS ord, NULL::int AS counter FROM fault_entries
        UNION ALL SELECT 'shipments', ref, key, seq, xid::text, NULL FROM fault_shipments
        UNION ALL SELECT 'poison', ref, key, seq, xid::text, NULL FROM fault_poison
        UNION ALL SELECT topic, ref, key, seq, ord::text, counter FROM fault_effects`
      const dead = await tx`
        SELECT topic, event_id::text, partition, "offset"::text, encode(value, 'base64') AS value, stage, disposition,
          state, error_name || ': ' || error_message AS error, copies::text FROM dead_letters`
      const messages = await tx`SELECT topic, id::text, partition, "offset"::text FROM messages`
      const positions = await tx`SELECT topic, partition, next_offset::text FROM topic_status`
      const late = await tx`SELECT ref FROM fault_late`
      const [outbox] = await tx`SELECT count(*)::int AS count FROM outbox`
      return {
        effects: effects.map(({ topic, ref, key, seq, ord, counter }) => ({
          topic,
          ref,
          key,
          seq,
          order: BigInt(ord),
          counter
        })),
        deadLetters: dead.map(row => ({
          topic: row.topic,
          eventId: row.event_id,
          partition: row.partition,
          offset: BigInt(row.offset),
          ref: row.value === null ? null : refOf(Buffer.from(row.value, 'base64')),
          stage: row.stage,
          disposition: row.disposition,
          state: row.state,
          error: row.error,
          copies: (JSON.parse(row.copies) as [number, string][]).map(
            ([partition, offset]) => [partition, BigInt(offset)] as const
          )
        })),
        messages: messages.map(row => ({ ...(row as unknown as MessageRow), offset: BigInt(row.offset) })),
        positions: positions.map(row => ({
          topic: row.topic,
          partition: row.partition,
          nextOffset: BigInt(row.next_offset)
        })),
        late: late.map(({ ref }) => ref),
        outboxRows: outbox?.count ?? 0
      }
    })
  )
}
