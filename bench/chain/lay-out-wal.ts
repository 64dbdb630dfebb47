import type { Sql } from 'postgres'

// What an event takes in the log, about: two rows with their indexes.
const EVENT_BYTES = 1_500
const CHUNK_BYTES = 1024 * 1024
const MAX_BYTES = 6.5 * 1024 ** 3

/**
 * Lays out the files of PostgreSQL's write-ahead log for so many events. A server that has run for a while writes into files
 * that it used before; a new one makes one each 16 MB, and every commit waits for that: measured, 17 to 50 ms a file.
 */
export async function layOutWal(sql: Sql, events: number): Promise<void> {
  const chunks = Math.ceil(Math.min(events * EVENT_BYTES, MAX_BYTES) / CHUNK_BYTES)
  await sql`
    SELECT count(pg_logical_emit_message(false, 'bench', repeat('x', ${CHUNK_BYTES}))) FROM generate_series(1, ${chunks}::int)`
  // What was written so far is free for what comes, up to min_wal_size.
  await sql`CHECKPOINT`
}
