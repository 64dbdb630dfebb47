import type { Sql } from 'postgres'

/** PostgreSQL about itself. */
export interface DatabaseStats {
  /** Of clients to this database, all rooms together. */
  readonly connectionCount: number
  readonly sizeBytes: number
}

/** Reads of PostgreSQL's own numbers. */
export function createStatsQueries(sql: Sql) {
  return {
    async database(): Promise<DatabaseStats> {
      const [row] = await sql.unsafe(
        `SELECT pg_database_size(current_database())::text AS size, (SELECT count(*)::int FROM pg_stat_activity
          WHERE datname = current_database() AND backend_type = 'client backend') AS connections`,
        [],
        { prepare: true }
      )
      return { connectionCount: Number(row?.connections), sizeBytes: Number(row?.size) }
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
