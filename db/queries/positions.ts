import type { Sql } from 'postgres'
import type { WriteTransaction } from '../write-transaction.ts'
import { toArray } from './to-array.ts'

/** Where a group stands in a partition. */
export interface Position {
  readonly partition: number
  /** What is handled next. */
  readonly nextOffset: bigint
  /** Kafka's id of the topic that the position counts in; null where the broker does not tell. */
  readonly topicId: string | null
}

/** A move of one partition within a cycle, with what it settled. */
export interface Step {
  readonly partition: number
  /** Decimal strings. */
  readonly expected: string
  readonly next: string
  readonly messages: number
  readonly rows: number
  readonly deadLetters: number
  readonly duplicates: number
  /** ISO 8601; null when nothing new was settled. */
  readonly lastMessageAt: string | null
}

/** The record that was about to be handled when nothing was committed since, and how often a process ended at it. */
export interface TrialNote {
  readonly offset: bigint
  /** 0 when only the place is known where an owner began. */
  readonly count: number
}

interface Place {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
}

type Row = Record<string, unknown>

const toPosition = (row: Row): Position => ({
  partition: Number(row.partition),
  nextOffset: BigInt(String(row.next_offset)),
  topicId: row.topic_id === null ? null : String(row.topic_id)
})

/** Told the clock of the database, in epoch milliseconds, and when it was asked and answered, of `performance.now()`. */
type LearnClock = (databaseMs: number, askedMs: number, answeredMs: number) => void

/** Builds the reads and the rare writes of positions; those of a cycle take its transaction. */
export function createPositionQueries(sql: Sql, learnClock: LearnClock = () => undefined) {
  return {
    /** Positions of a group, by partition; a partition without one is missing. */
    async read(groupId: string, topic: string): Promise<Map<number, Position>> {
      const askedMs = performance.now()
      const rows = await sql`
        SELECT partition, next_offset::text, topic_id, extract(epoch FROM clock_timestamp()) * 1000 AS now_ms
        FROM topic_status WHERE group_id = ${groupId} AND topic = ${topic}`
      if (rows[0]) learnClock(Number(rows[0].now_ms), askedMs, performance.now())
      return new Map(rows.map(row => [Number(row.partition), toPosition(row)]))
    },

    /** When positions of a group moved last: epoch in ms, by the clock of the database, which it learns too. */
    async progress(
      groupId: string,
      topic: string
    ): Promise<{ partition: number; nextOffset: bigint; updatedMs: number }[]> {
      const askedMs = performance.now()
      const rows = await sql`
        SELECT partition, next_offset::text, extract(epoch FROM updated_at) * 1000 AS updated_ms,
          extract(epoch FROM clock_timestamp()) * 1000 AS now_ms
        FROM topic_status WHERE group_id = ${groupId} AND topic = ${topic}`
      if (rows[0]) learnClock(Number(rows[0].now_ms), askedMs, performance.now())
      return rows.map(row => ({
        partition: Number(row.partition),
        nextOffset: BigInt(row.next_offset),
        updatedMs: Number(row.updated_ms)
      }))
    },

    /** Makes a position unless there is one, and gives the one that is there then: two owners may race. */
    async create(groupId: string, topic: string, position: Position): Promise<Position> {
      await sql`
        INSERT INTO topic_status (group_id, topic, partition, next_offset, topic_id)
        VALUES (${groupId}, ${topic}, ${position.partition}, ${String(position.nextOffset)}, ${position.topicId})
        ON CONFLICT DO NOTHING`
      const [row] = await sql`
        SELECT partition, next_offset::text, topic_id FROM topic_status
        WHERE group_id = ${groupId} AND topic = ${topic} AND partition = ${position.partition}`
      return row ? toPosition(row) : position
    },

    /**
     * Moves a position to another place or another log, if it still stands where it is expected.
     *
     * @param lost records that are skipped because retention removed them
     * @returns whether it moved
     */
    async relocate(groupId: string, topic: string, from: Position, to: Position, lost: bigint): Promise<boolean> {
      const { count } = await sql`
        UPDATE topic_status SET next_offset = ${String(to.nextOffset)}, topic_id = ${to.topicId},
          lost_count = lost_count + ${String(lost)}, trying_offset = NULL, trying_count = 0, updated_at = now()
        WHERE group_id = ${groupId} AND topic = ${topic} AND partition = ${from.partition}
          AND next_offset = ${String(from.nextOffset)} AND topic_id IS NOT DISTINCT FROM ${from.topicId}`
      return count === 1
    },

    /** The note of a partition; null when there is none. */
    async readNote({ groupId, topic, partition }: Place): Promise<TrialNote | null> {
      const [row] = await sql`
        SELECT trying_offset::text AS at, trying_count FROM topic_status
        WHERE group_id = ${groupId} AND topic = ${topic} AND partition = ${partition} AND trying_offset IS NOT NULL`
      return row ? { offset: BigInt(row.at), count: Number(row.trying_count) } : null
    },

    /** Puts a note in another one's place, if position and note are as expected; null for none. Gives whether they were. */
    async swapNote(
      { groupId, topic, partition }: Place,
      { position, from, to }: { position: bigint; from: TrialNote | null; to: TrialNote | null }
    ): Promise<boolean> {
      const offsetOf = (note: TrialNote | null) => (note ? String(note.offset) : null)
      const { count } = await sql`
        UPDATE topic_status SET trying_offset = ${offsetOf(to)}, trying_count = ${to?.count ?? 0}
        WHERE group_id = ${groupId} AND topic = ${topic} AND partition = ${partition}
          AND next_offset = ${String(position)} AND trying_count = ${from?.count ?? 0}
          AND trying_offset IS NOT DISTINCT FROM ${offsetOf(from)}`
      return count === 1
    },

    /** Groups that have positions in a topic. */
    async groupsOf(topic: string): Promise<string[]> {
      const rows = await sql`SELECT DISTINCT group_id FROM topic_status WHERE topic = ${topic}`
      return rows.map(row => String(row.group_id))
    }
  }
}

/**
 * Locks positions in the order of their partitions and gives them as they stand. The lock comes first and on its own:
 * an UPDATE … FROM takes its locks in no order, and an owner and a zombie would deadlock.
 */
export async function lockPositions(
  tx: WriteTransaction,
  groupId: string,
  topic: string,
  partitions: readonly number[]
): Promise<Position[]> {
  const rows = await tx.query(
    `SELECT partition, next_offset::text, topic_id FROM topic_status
     WHERE group_id = $1 AND topic = $2 AND partition = ANY ($3::text::int[])
     ORDER BY partition FOR NO KEY UPDATE`,
    [groupId, topic, toArray(partitions)]
  )
  return rows.map(toPosition)
}

/** Moves locked positions, each only if it still stands where it is expected, and gives how many moved. */
export async function advancePositions(
  tx: WriteTransaction,
  groupId: string,
  topic: string,
  steps: readonly Step[]
): Promise<number> {
  const { count } = await tx.query(
    `UPDATE topic_status AS status SET next_offset = step.next, updated_at = now(),
       message_count = message_count + step.messages, row_count = row_count + step.rows,
       dead_letter_count = dead_letter_count + step."deadLetters", duplicate_count = duplicate_count + step.duplicates,
       last_message_at = coalesce(step."lastMessageAt", last_message_at), trying_offset = NULL, trying_count = 0
     FROM json_to_recordset($3::text::json) AS step(partition int, expected bigint, next bigint, messages bigint,
       rows bigint, "deadLetters" bigint, duplicates bigint, "lastMessageAt" timestamptz)
     WHERE status.group_id = $1 AND status.topic = $2
       AND status.partition = step.partition AND status.next_offset = step.expected`,
    [groupId, topic, JSON.stringify(steps)]
  )
  return count
}
