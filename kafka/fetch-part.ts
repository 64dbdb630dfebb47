import { toRecord } from './consumer.ts'
import { type Broker, toMessages } from './kafkajs-internals.ts'
import type { FetchedRecord } from './types.ts'

/** Where a fetch begins; the topic by its name in Kafka. */
interface FetchPlace {
  readonly name: string
  readonly partition: number
  readonly offset: bigint
}

interface FetchLimits {
  /** The first batch comes whole, however large it is. */
  readonly maxBytes: number
  /** How long the broker may wait for something to give. */
  readonly maxWaitMs: number
  /** Gives records of transactions that are not decided yet, too. */
  readonly withUndecided?: boolean
}

/** What one fetch gave. */
export interface LogPart {
  readonly records: readonly FetchedRecord[]
  /** The offset that was asked for when nothing is there: behind the end, or an undecided transaction is in the way. */
  readonly nextOffset: bigint
  /** The end of the log. */
  readonly highWatermark: bigint
}

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

/** Fetches from the leader of a partition, without a group. Rejects with KafkaJS's errors. */
export async function fetchPart(
  broker: Pick<Broker, 'fetch'>,
  { name, partition, offset }: FetchPlace,
  { maxBytes, maxWaitMs, withUndecided = false }: FetchLimits
): Promise<LogPart> {
  const { responses } = await broker.fetch({
    isolationLevel: withUndecided ? READ_UNCOMMITTED : READ_COMMITTED,
    maxWaitTime: maxWaitMs,
    maxBytes,
    topics: [
      { topic: name, partitions: [{ partition, fetchOffset: String(offset), maxBytes, currentLeaderEpoch: -1 }] }
    ]
  })
  const found = responses[0]?.partitions[0]
  const highWatermark = found ? BigInt(found.highWatermark) : offset
  const last = found?.messages.at(-1) as { offset: string } | undefined
  if (!found || !last || BigInt(last.offset) < offset) return { records: [], nextOffset: offset, highWatermark }
  const records = toMessages(name, offset, found).map(toRecord)
  return { records, nextOffset: BigInt(last.offset) + 1n, highWatermark }
}
