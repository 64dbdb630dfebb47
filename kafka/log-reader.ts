import type { KafkaClient } from './client.ts'
import { toRecord } from './consumer.ts'
import { kafkaErrors } from './errors.ts'
import { findErrorType } from './failure.ts'
import { toMessages } from './kafkajs-internals.ts'
import { createLink } from './link.ts'
import { fetchRanges, type LogRange } from './offsets.ts'
import type { FetchedRecord } from './types.ts'

const READ_COMMITTED = 1
const MAX_BYTES = 1024 * 1024
const MAX_WAIT_MS = 500

/** What one fetch gave; `nextOffset` is where the next one goes on. */
interface LogPart {
  readonly records: readonly FetchedRecord[]
  /** The offset that was asked for when nothing is there: behind the end, or an undecided transaction is in the way. */
  readonly nextOffset: bigint
}

/** Reads logs by offset, without a group and without a position. Topics without TOPIC_PREFIX. Rejects with kafkaErrors. */
export interface LogReader {
  /** Where the partitions of a topic begin and end; rejects with SMG_KAFKA_NO_TOPIC when there is none. */
  ranges(topic: string): Promise<ReadonlyMap<number, LogRange>>
  /** Gives records from `offset` on; null when the log does not hold it any more. */
  read(topic: string, partition: number, offset: bigint): Promise<LogPart | null>
  close(): Promise<void>
}

/** Builds a reader; it connects with its first question. */
export function createLogReader(client: Pick<KafkaClient, 'brokers' | 'cluster' | 'log' | 'toKafkaTopic'>): LogReader {
  const link = createLink(client)
  const leaders = new Map<string, number>()

  async function findLeader(name: string, partition: number): Promise<number> {
    const place = `${name}/${partition}`
    const known = leaders.get(place)
    if (known !== undefined) return known
    const found = (await link.metadata([name])).topics.get(name)
    const leader = found?.partitions.find(view => view.partition === partition)?.leader
    if (leader === undefined || leader === null) throw new kafkaErrors.SMG_KAFKA_UNAVAILABLE(`no leader for ${place}`)
    leaders.set(place, leader)
    return leader
  }

  async function fetch(name: string, partition: number, offset: bigint): Promise<LogPart | null> {
    const partitions = [{ partition, fetchOffset: String(offset), maxBytes: MAX_BYTES, currentLeaderEpoch: -1 }]
    const request = {
      isolationLevel: READ_COMMITTED,
      maxWaitTime: MAX_WAIT_MS,
      maxBytes: MAX_BYTES,
      topics: [{ topic: name, partitions }]
    }
    try {
      const { responses } = await link.node(await findLeader(name, partition), broker => broker.fetch(request))
      const found = responses[0]?.partitions[0]
      const last = found?.messages.at(-1) as { offset: string } | undefined
      if (!found || !last || BigInt(last.offset) < offset) return { records: [], nextOffset: offset }
      return { records: toMessages(name, offset, found).map(toRecord), nextOffset: BigInt(last.offset) + 1n }
    } catch (error) {
      leaders.delete(`${name}/${partition}`)
      if (findErrorType(error) === 'OFFSET_OUT_OF_RANGE') return null
      throw error
    }
  }

  return {
    async ranges(topic) {
      const name = client.toKafkaTopic(topic)
      const found = await link.call(() => link.metadata([name]))
      // Outside `call`, which would ask again for as long as it may.
      if (!found.topics.has(name)) throw new kafkaErrors.SMG_KAFKA_NO_TOPIC(topic)
      const ranges = await link.call(() => fetchRanges(link, found))
      return ranges.get(name) ?? new Map<number, LogRange>()
    },
    read: (topic, partition, offset) => link.call(() => fetch(client.toKafkaTopic(topic), partition, offset)),
    close: () => link.close()
  }
}
