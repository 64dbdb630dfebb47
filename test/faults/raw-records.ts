import { randomUUID } from 'node:crypto'
import type { IHeaders, Message } from 'kafkajs'
import { createEventId } from '../../sdk/event-id.ts'
import type { Cluster } from './cluster.ts'
import type { Expected, HistoryWriter, SendOutcome } from './history.ts'
import type { Random } from './random.ts'

/** A record that somebody else writes into a topic of ours. */
interface Foreign {
  /** Null for garbage, which has no name. */
  readonly ref: string | null
  readonly key: string
  readonly expected: Expected
  readonly messages: readonly Message[]
}

const TOPIC = 'entries'
const PARTITIONS = 3
const ROUNDS = 6
const GARBAGE: readonly (Buffer | null)[] = [
  null,
  Buffer.alloc(0),
  Buffer.from('{'),
  Buffer.from([0xff, 0xfe, 0x00]),
  Buffer.from('{"no":"event"}'),
  Buffer.from('{"ref":7,"key":"k","seq":1}'),
  Buffer.from('[]')
]

/** Writes records past the gateway: foreign ones, copies of one event, an id that is used again, garbage. */
export async function writeRawRecords(
  cluster: Cluster,
  topicPrefix: string,
  { random, history, signal }: { random: Random; history: HistoryWriter; signal: AbortSignal }
): Promise<void> {
  const producer = cluster.kafka.producer({ allowAutoTopicCreation: false })
  let count = 0
  try {
    await producer.connect()
    for (let round = 0; round < ROUNDS && !signal.aborted; round += 1) {
      const makers = [plain, cloudEvent, copied, reused, garbage]
      for (const make of makers) await write(make())
      await new Promise(resolve => setTimeout(resolve, random.integer(100, 800)))
    }
  } catch {
    // No broker is there to connect to. What was written is in the history.
  } finally {
    await producer.disconnect().catch(() => undefined)
  }

  async function write(records: readonly Foreign[]): Promise<void> {
    const partition = random.integer(0, PARTITIONS - 1)
    const messages = records.flatMap(record => record.messages).map(message => ({ ...message, partition }))
    const sentMs = Date.now()
    let outcome: SendOutcome
    let base = 0n
    try {
      const [written] = await producer.send({ topic: `${topicPrefix}${TOPIC}`, acks: -1, messages })
      base = BigInt(written?.baseOffset ?? '0')
      outcome = { kind: 'acked', id: null, partition, offset: String(base) }
    } catch (error) {
      outcome = { kind: 'unknown', reason: (error as Error).message }
    }
    for (const { ref, key, expected, messages: own } of records) {
      const at: SendOutcome = outcome.kind === 'acked' ? { ...outcome, offset: String(base) } : outcome
      base += BigInt(own.length)
      const times = { scheduledMs: sentMs, sentMs, answeredMs: Date.now() }
      const line = { topic: TOPIC, key, seq: 0, expected, idempotencyKey: null, request: -1, ...times, outcome: at }
      if (ref !== null) history.add({ ...line, ref, from: 'foreign' })
    }
  }

  function event(): { ref: string; key: string; value: Buffer } {
    count += 1
    const ref = `f${count}`
    const key = `foreign-${random.integer(0, 3)}`
    return { ref, key, value: Buffer.from(JSON.stringify({ ref, key, seq: count })) }
  }

  function plain(): Foreign[] {
    const { ref, key, value } = event()
    // Their own `id` is only a header.
    return [{ ref, key, expected: 'effect', messages: [{ key, value, headers: { id: 'order-7' } }] }]
  }

  function cloudEvent(): Foreign[] {
    const { ref, key, value } = event()
    const headers: IHeaders = { ce_source: '/faults', ce_id: randomUUID(), ce_time: new Date().toISOString() }
    return [{ ref, key, expected: 'effect', messages: repeat({ key, value, headers }) }]
  }

  function copied(): Foreign[] {
    const { ref, key, value } = event()
    return [{ ref, key, expected: 'effect', messages: repeat({ key, value, headers: ourHeaders() }) }]
  }

  /** Another event under an id that is used: never dropped in silence. */
  function reused(): Foreign[] {
    const headers = ourHeaders()
    const [first, second] = [event(), event()]
    return [
      { ...first, expected: 'effect', messages: [{ ...first, headers }] },
      { ...second, expected: 'dead', messages: [{ ...second, headers }] }
    ]
  }

  function garbage(): Foreign[] {
    return [{ ref: null, key: '', expected: 'dead', messages: [{ key: 'g', value: random.pick(GARBAGE) }] }]
  }

  function repeat(message: Message): Message[] {
    return Array.from({ length: random.integer(2, 5) }, () => message)
  }
}

function ourHeaders(): IHeaders {
  return { id: createEventId(Date.now()), 'producer-id': 'smg-kafka-producer', 'content-type': 'application/json' }
}
