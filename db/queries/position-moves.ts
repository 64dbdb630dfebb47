import type { Sql } from 'postgres'
import { sqlState } from '../database-fault.ts'
import { type Operation, writeAudit } from './audit.ts'
import type { RunTransaction } from './dead-letter-requests.ts'
import { lockPositions, type Position } from './positions.ts'

interface Group {
  readonly groupId: string
  readonly topic: string
}

/** Offsets of a partition, from `low` on and before `high`; decimal strings. */
export interface OffsetRange {
  readonly partition: number
  readonly low: string
  readonly high: string
}

/** A move of positions that an operator asks for. */
export interface MoveRequest extends Group {
  /** Kafka's id of the topic in which the offsets count; null where the broker does not tell. */
  readonly topicId: string | null
  /** New positions by partition. */
  readonly to: ReadonlyMap<number, bigint>
  /** What the operator said, for the audit. */
  readonly asked: unknown
  readonly operation: Operation
}

/** What became of a move: done, with the positions before by partition; or nothing was moved, and why. */
export type MoveResult =
  | { readonly kind: 'moved'; readonly before: ReadonlyMap<number, bigint> }
  /** A runner holds a position for longer than can be waited. */
  | { readonly kind: 'busy' }
  /** The positions of the topic are those of this group. */
  | { readonly kind: 'foreign'; readonly groupId: string }

const LOCK_TIMEOUT = '55P03'

/** Builds the moving of positions by operators. */
export function createPositionMoves(runTransaction: RunTransaction) {
  return {
    /**
     * Moves positions, all or none, wherever they stand; one that there is not yet is made. Waits for the transaction of a
     * runner that is under way: that one counts, and the next of its owner finds another position than it expects, drops
     * what is in hand and goes on from here. `moves` tells owners that are idle.
     */
    async move(request: MoveRequest): Promise<MoveResult> {
      try {
        return await runTransaction(tx => moveIn(tx, request))
      } catch (error) {
        if (sqlState(error) === LOCK_TIMEOUT) return { kind: 'busy' }
        throw error
      }
    }
  }
}

async function moveIn(
  tx: Parameters<Parameters<RunTransaction>[0]>[0],
  { groupId, topic, topicId, to, asked, operation }: MoveRequest
): Promise<MoveResult> {
  // A position of another group would keep the runners of this database from their next start.
  const [other] = await tx.query('SELECT group_id FROM topic_status WHERE topic = $1 AND group_id <> $2 LIMIT 1', [
    topic,
    groupId
  ])
  if (other) return { kind: 'foreign', groupId: String(other.group_id) }

  const targets = [...to].map(([partition, next]) => ({ partition, next: String(next) }))
  const given = [groupId, topic, topicId, JSON.stringify(targets)] as const
  const made = await tx.query(
    `INSERT INTO topic_status (group_id, topic, partition, next_offset, topic_id)
     SELECT $1, $2, partition, next, $3::uuid FROM json_to_recordset($4::text::json) AS given(partition int, next bigint)
     ORDER BY partition ON CONFLICT DO NOTHING RETURNING partition`,
    given
  )
  const isMade = new Set(made.map(({ partition }) => Number(partition)))
  const locked = await lockPositions(tx, groupId, topic, [...to.keys()])
  await tx.query(
    `UPDATE topic_status AS status SET next_offset = given.next, topic_id = coalesce($3::uuid, status.topic_id),
       moves = moves + 1, trying_offset = NULL, trying_count = 0, updated_at = now()
     FROM json_to_recordset($4::text::json) AS given(partition int, next bigint)
     WHERE status.group_id = $1 AND status.topic = $2 AND status.partition = given.partition`,
    given
  )
  const before = new Map(
    locked.filter(({ partition }) => !isMade.has(partition)).map(({ partition, nextOffset }) => [partition, nextOffset])
  )
  await writeAudit(tx.query, operation, { action: 'position', topic, details: toDetails(asked, to, before) })
  return { kind: 'moved', before }
}

function toDetails(asked: unknown, to: MoveRequest['to'], before: ReadonlyMap<number, Position['nextOffset']>) {
  const partitions = [...to].map(([partition, next]) => {
    const from = before.get(partition)
    return { partition, from: from === undefined ? null : String(from), to: String(next) }
  })
  return { to: asked, partitions }
}

/** Builds the look at what lies between two positions. */
export function createSettledCount(sql: Sql) {
  return {
    /**
     * Counts records of some ranges that are settled: events and dead letters that lie there, by partition; one of which
     * none is settled is missing. No index knows offsets, so it reads the topic.
     */
    async countSettled({ groupId, topic }: Group, ranges: readonly OffsetRange[]): Promise<Map<number, number>> {
      if (ranges.length === 0) return new Map()
      const parameters: (string | number)[] = [groupId, topic]
      const bind = (value: string | number) => `$${parameters.push(value)}`
      // One condition a range, for a join takes three times as long.
      const isWithin = ranges
        .map(({ partition, low, high }) => [bind(partition), bind(low), bind(high)])
        .map(([partition, low, high]) => `partition = ${partition} AND "offset" >= ${low} AND "offset" < ${high}`)
        .join(' OR ')
      const rows = await sql.unsafe(
        `SELECT partition, sum(count)::int AS count FROM (
           SELECT partition, count(*) FROM messages WHERE topic = $2 AND (${isWithin}) GROUP BY partition
           UNION ALL
           SELECT partition, count(*) FROM dead_letters
           WHERE group_id = $1 AND topic = $2 AND state <> 'resolved' AND (${isWithin}) GROUP BY partition) AS settled
         GROUP BY partition`,
        parameters
      )
      return new Map(rows.map(({ partition, count }) => [Number(partition), Number(count)]))
    }
  }
}
