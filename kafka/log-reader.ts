import type { KafkaClient } from './client.ts'
import { kafkaErrors } from './errors.ts'
import { findErrorType } from './failure.ts'
import { fetchPart, type LogPart } from './fetch-part.ts'
import { createLink } from './link.ts'
import { fetchRanges, type LogRange } from './offsets.ts'

const LIMITS = { maxBytes: 1024 * 1024, maxWaitMs: 500 }

/** Reads logs by offset, without a group and without a position. Topics without TOPIC_PREFIX. Rejects with kafkaErrors. */
export interface LogReader {
  /** Where the partitions of a topic begin and end; rejects with SMG_KAFKA_NO_TOPIC when there is none. */
  ranges(topic: string): Promise<ReadonlyMap<number, LogRange>>
  /** Gives records from `offset` on, and where the next read goes on; null when the log does not hold it any more. */
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
    try {
      const leader = await findLeader(name, partition)
      return await link.node(leader, broker => fetchPart(broker, { name, partition, offset }, LIMITS))
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
