import type { Logger } from 'pino'
import { bounded } from './bounded.ts'
import type { Acknowledgement } from './coverage.ts'
import { kafkaErrors } from './errors.ts'
import { isPoison } from './failure.ts'
import type { Entry } from './record-queue.ts'

/** Records of one topic, by its name in Kafka. */
export interface TopicMessages {
  readonly topic: string
  readonly messages: Entry[]
}

/** The part of KafkaJS's producer that is used. */
export interface InnerProducer {
  connect(): Promise<void>
  sendBatch(batch: {
    acks: number
    timeout: number
    compression: number
    topicMessages: TopicMessages[]
  }): Promise<Acknowledgement[]>
  disconnect(): Promise<void>
}

/** Sends batches through KafkaJS and makes its producer anew when it is of no use any more. */
export interface Sender {
  /** Whether a topic made a producer sick: it has one of its own, and must not be sent together with others. */
  isApart(topic: string): boolean
  /**
   * Asks for the batch when it is connected, and sends nothing when that is empty. Rejects with KafkaJS's error, or with
   * SMG_KAFKA_UNAVAILABLE when nothing is heard for 30 s.
   */
  send(topics: readonly string[], toBatch: () => TopicMessages[]): Promise<Acknowledgement[]>
  /** Makes the shared producer anew, unless it is: its metadata is behind, and it asks again only by age. */
  renew(): void
  /** Disconnects; sends that are under way fail. Resolves after 5 s at the latest. */
  close(): Promise<void>
}

interface Line {
  readonly producer: InnerProducer
  /** Of `performance.now()`, as all that waits: the wall clock may be set back. */
  readonly openedAtMs: number
  connected: Promise<void> | undefined
  sends: number
  failures: number
  isRetired: boolean
}

const ALL_IN_SYNC = -1
const ACKS_TIMEOUT_MS = 2_500
// Well above all that KafkaJS does inside a send; only one that never settles takes longer.
const SEND_TIMEOUT_MS = 30_000
const DISCONNECT_TIMEOUT_MS = 5_000
const MAX_FAILURES = 20
const WORN_AFTER_MS = 5_000
const YOUNG_MS = 1_000

/**
 * Builds a sender. A producer of KafkaJS asks for the metadata of all topics that it ever sent to, and one that is
 * deleted or has no leader fails them all (tulios/kafkajs#1146): after such a failure the shared producer is replaced,
 * and the topics of that send go through producers of their own until they succeed.
 */
export function createSender({
  open,
  compression,
  log
}: {
  open: () => InnerProducer
  compression: number
  log: Logger
}): Sender {
  const apart = new Map<string, Line>()
  const lines = new Set<Line>()
  let shared = openLine()

  function openLine(): Line {
    const line: Line = {
      producer: open(),
      openedAtMs: performance.now(),
      connected: undefined,
      sends: 0,
      failures: 0,
      isRetired: false
    }
    lines.add(line)
    return line
  }

  async function connect(line: Line): Promise<void> {
    line.connected ??= line.producer.connect()
    try {
      await line.connected
    } catch (error) {
      line.connected = undefined
      throw error
    }
  }

  /** Lets a line end with its last send. */
  function retire(line: Line): void {
    line.isRetired = true
    if (line.sends === 0 && lines.delete(line)) void disconnect(line)
  }

  async function disconnect(line: Line): Promise<void> {
    try {
      await bounded(line.producer.disconnect(), DISCONNECT_TIMEOUT_MS)
    } catch (error) {
      log.debug({ err: error }, 'a producer did not disconnect')
    }
  }

  function noteSuccess(line: Line, topics: readonly string[]): void {
    line.failures = 0
    const [topic = ''] = topics
    if (apart.get(topic) !== line) return
    apart.delete(topic)
    retire(line)
  }

  function noteFailure(line: Line, topics: readonly string[], error: unknown): void {
    line.failures += 1
    const [topic = ''] = topics

    if (apart.get(topic) === line) {
      if (!isWorn(line, error)) return
      apart.set(topic, openLine())
    } else if (isPoison(error)) {
      for (const each of topics) if (!apart.has(each)) apart.set(each, openLine())
    } else if (!isWorn(line, error)) return

    replace(line)
  }

  function replace(line: Line): void {
    if (line === shared) shared = openLine()
    retire(line)
  }

  return {
    isApart: topic => apart.has(topic),

    async send(topics, toBatch) {
      const line = (topics.length === 1 && apart.get(topics[0] as string)) || shared
      line.sends += 1
      try {
        const written = await bounded(sendThrough(line, toBatch), SEND_TIMEOUT_MS)
        noteSuccess(line, topics)
        return written
      } catch (error) {
        noteFailure(line, topics, error)
        throw error
      } finally {
        line.sends -= 1
        if (line.isRetired) retire(line)
      }
    },

    renew() {
      if (performance.now() - shared.openedAtMs > YOUNG_MS) replace(shared)
    },

    async close() {
      const open = [...lines]
      lines.clear()
      await Promise.all(open.map(disconnect))
    }
  }

  async function sendThrough(line: Line, toBatch: () => TopicMessages[]): Promise<Acknowledgement[]> {
    await connect(line)
    const topicMessages = toBatch()
    if (topicMessages.length === 0) return []
    return line.producer.sendBatch({ acks: ALL_IN_SYNC, timeout: ACKS_TIMEOUT_MS, compression, topicMessages })
  }
}

/** Whether a producer that fails again and again, or never answers, is better made anew. */
function isWorn({ failures, openedAtMs }: Line, error: unknown): boolean {
  const isHung = error instanceof kafkaErrors.SMG_KAFKA_UNAVAILABLE
  return isHung || (failures >= MAX_FAILURES && performance.now() - openedAtMs > WORN_AFTER_MS)
}
