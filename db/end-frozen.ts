/** Runs statements of this session. */
type Run = (text: string) => Promise<readonly Record<string, unknown>[]>

/**
 * Ends backends that wait for longer than `ms` for the lines of a COPY, and gives their pids: the process that owes the
 * lines froze, and no timeout of PostgreSQL counts while one waits for them. Of this session's database and role, and of
 * its application by the name up to the first `-`: an owner before this one, whose locks are wanted. Never rejects.
 */
export async function endFrozenCopies(run: Run, ms: number): Promise<number[]> {
  // A role may end its own backends. Found first and ended then: PostgreSQL minds no order of conditions.
  const text = `WITH frozen AS MATERIALIZED (
      SELECT pid FROM pg_stat_activity
      WHERE split_part(application_name, '-', 1) = split_part(current_setting('application_name'), '-', 1)
        AND datname = current_database()
        AND usename = session_user AND state = 'active' AND wait_event = 'ClientRead' AND query LIKE 'COPY %'
        AND query_start < clock_timestamp() - interval '${ms} ms')
    SELECT pid FROM frozen WHERE pg_terminate_backend(pid)`
  try {
    return (await run(text)).map(({ pid }) => Number(pid))
  } catch {
    // Whoever still waits for the locks comes here again.
    return []
  }
}
