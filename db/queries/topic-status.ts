import type { Sql } from 'postgres'
import { isoText } from './list.ts'

/** A group's position in a partition, with what was counted there. */
export interface PartitionStatus {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string | null
  readonly nextOffset: bigint
  readonly messageCount: number
  readonly rowCount: number
  readonly deadLetterCount: number
  readonly duplicateCount: number
  readonly lostCount: number
  /** ISO 8601 in UTC; null before the first. */
  readonly lastMessageAt: string | null
}

/** Reads of `topic_status`: a row a partition, so the whole table is small. */
export function createTopicStatusQueries(sql: Sql) {
  return {
    async all(): Promise<PartitionStatus[]> {
      const rows = await sql.unsafe(
        `SELECT group_id, topic, partition, topic_id, next_offset::text, message_count::text, row_count::text,
          dead_letter_count::text, duplicate_count::text, lost_count::text, ${isoText('last_message_at')} AS last_message_at
        FROM topic_status ORDER BY topic, group_id, partition`,
        [],
        { prepare: true }
      )
      return rows.map(row => ({
        groupId: row.group_id,
        topic: row.topic,
        partition: Number(row.partition),
        topicId: row.topic_id,
        nextOffset: BigInt(row.next_offset),
        messageCount: Number(row.message_count),
        rowCount: Number(row.row_count),
        deadLetterCount: Number(row.dead_letter_count),
        duplicateCount: Number(row.duplicate_count),
        lostCount: Number(row.lost_count),
        lastMessageAt: row.last_message_at
      }))
    }
  }
}
