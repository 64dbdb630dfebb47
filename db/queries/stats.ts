import type { Sql } from 'postgres'
import { type Backlog, readBacklog } from './outbox.ts'

/** PostgreSQL about itself. */
export interface DatabaseStats {
  /** Of clients to this database, all rooms together. */
  readonly connectionCount: number
  /** Those of them that are at work, or hold a transaction open. */
  readonly usedConnectionCount: number
  readonly sizeBytes: number
}

/** Dead letters of a topic that are neither resolved nor discarded. */
export interface DeadLettersWaiting {
  readonly waiting: number
  /** Since the oldest of them died. */
  readonly oldestSeconds: number
}

/** Reads of PostgreSQL's own numbers. */
export function createStatsQueries(sql: Sql) {
  return {
    async database(): Promise<DatabaseStats> {
      const [row] = await sql.unsafe(
        `SELECT pg_database_size(current_database())::text AS size, count(*)::int AS connections,
          count(*) FILTER (WHERE state IS DISTINCT FROM 'idle')::int AS used
        FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`,
        [],
        { prepare: true }
      )
      return {
        connectionCount: Number(row?.connections),
        usedConnectionCount: Number(row?.used),
        sizeBytes: Number(row?.size)
      }
    },

    /** What waits of the outbox, of all topics. Reads all of it. */
    outbox: (): Promise<Backlog> => readBacklog(sql),

    /** By topic; one without any is missing. Reads an index of those that wait, from end to end. */
    async deadLetters(): Promise<Map<string, DeadLettersWaiting>> {
      const rows = await sql.unsafe(
        `SELECT topic, count(*)::int AS waiting, extract(epoch FROM now() - min(created_at)) AS oldest
        FROM dead_letters WHERE state IN ('dead', 'redriving') GROUP BY topic`,
        [],
        { prepare: true }
      )
      return new Map(
        rows.map(row => [row.topic, { waiting: Number(row.waiting), oldestSeconds: Math.max(0, Number(row.oldest)) }])
      )
    },

    /** Where PostgreSQL keeps its data; null when this role may not know. */
    async dataDirectory(): Promise<string | null> {
      const [row] = await sql.unsafe(
        `SELECT CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
          THEN current_setting('data_directory', true) END AS directory`,
        [],
        { prepare: true }
      )
      return row?.directory ?? null
    },

    /** Answers when PostgreSQL does. */
    async probe(): Promise<void> {
      await sql.unsafe('SELECT 1', [], { prepare: true })
    }
  }
}
