import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres, { type Sql } from 'postgres'
import { connectionOptions } from './client.ts'
import { databaseFault } from './database-fault.ts'
import { dbErrors } from './errors.ts'

// Any number, as long as it is always the same: whoever migrates holds this lock.
const LOCK = 7_361_092
const OLDEST = 15
const MIGRATIONS = join(import.meta.dirname, 'migrations')

/**
 * Brings the tables up to date. Safe when several start at once: one works, the others wait and find nothing to do.
 * Waits up to `waitMs` for a PostgreSQL that is not there yet.
 *
 * @returns how many migrations were applied, and how long it took
 * @throws SMG_DB_UNAVAILABLE | SMG_DB_TOO_OLD, or PostgreSQL's own error: then nothing was changed
 */
export async function migrate(url: string, { waitMs = 30_000 } = {}): Promise<{ applied: number; ms: number }> {
  const started = performance.now()
  // Two connections: the lock is held by a transaction, so that a pooler in between cannot hand it to someone else.
  const [guard, worker] = [open(url, 'smg-migrate-lock'), open(url, 'smg-migrate')]

  try {
    await waitForServer(guard, started + waitMs)
    await checkVersion(guard)
    const applied = await guard.begin(async tx => {
      await tx`SELECT pg_advisory_xact_lock(${LOCK})`
      const before = await countApplied(worker)
      await applyMigrations(drizzle(worker), { migrationsFolder: MIGRATIONS })
      return (await countApplied(worker)) - before
    })
    return { applied, ms: Math.round(performance.now() - started) }
  } finally {
    await Promise.all([guard.end({ timeout: 5 }), worker.end({ timeout: 5 })])
  }
}

function open(url: string, name: string) {
  return postgres(url, { ...connectionOptions, max: 1, connection: { application_name: name } })
}

async function waitForServer(sql: Sql, deadline: number): Promise<void> {
  for (;;) {
    try {
      await sql`SELECT 1`
      return
    } catch (error) {
      if (databaseFault(error) !== 'world') throw error
      if (performance.now() > deadline) {
        throw Object.assign(new dbErrors.SMG_DB_UNAVAILABLE((error as Error).message), { cause: error })
      }
    }
    await sleep(250)
  }
}

async function checkVersion(sql: Sql): Promise<void> {
  const [row] = await sql`SELECT current_setting('server_version_num')::int / 10000 AS major`
  if (row?.major < OLDEST) throw new dbErrors.SMG_DB_TOO_OLD(row?.major)
}

async function countApplied(sql: Sql): Promise<number> {
  const [table] = await sql`SELECT to_regclass('drizzle.__drizzle_migrations') AS name`
  if (!table?.name) return 0
  const [row] = await sql`SELECT count(*)::int AS count FROM drizzle.__drizzle_migrations`
  return row?.count ?? 0
}
