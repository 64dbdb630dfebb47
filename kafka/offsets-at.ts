import type { Link } from './link.ts'
import type { Metadata } from './metadata.ts'
import { groupByLeader, listOffsets } from './offsets.ts'

// What a broker says where every record is older.
const NONE = -1n

/**
 * Asks the leaders for the first record of each partition that was stamped at a time or later, in epoch milliseconds.
 * By partition; one without such a record, or without a leader, is missing.
 *
 * @throws KafkaJS's error when a leader does not answer
 */
export async function fetchOffsetsAt(
  link: Pick<Link, 'node'>,
  { topics }: Pick<Metadata, 'topics'>,
  timestampMs: number
): Promise<Map<number, bigint>> {
  const answers = await Promise.all(
    [...groupByLeader(topics)].map(([leader, partitions]) =>
      link.node(leader, broker => listOffsets(broker, partitions, timestampMs))
    )
  )
  const found = answers.flatMap(answer => [...answer.values()]).filter(({ offset }) => offset !== NONE)
  return new Map(found.map(({ partition, offset }) => [partition, offset]))
}
