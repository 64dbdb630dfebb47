import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres, { type Sql } from 'postgres'
import { connectionOptions } from '../../db/client.ts'
import { migrate } from '../../db/migrate.ts'
import { testStack } from './stack.ts'

/** What the support needs of a tap test. */
export interface Teardown {
  teardown(end: () => Promise<unknown> | unknown): void
}

/** An empty database with all tables. */
export interface TestDatabase {
  readonly databaseUrl: string
  /** For looking into it; connects on first use. */
  readonly sql: Sql
}

const MIGRATIONS = join(import.meta.dirname, '..', '..', 'db', 'migrations')
// Any number of ours: who makes the template holds this lock.
const LOCK = 7_361_093

/** Makes a database of its own for a test, as a copy of one that was migrated once; it is dropped with the test. */
export async function createTestDatabase(t: Teardown): Promise<TestDatabase> {
  const { databaseUrl } = testStack()
  const admin = connect(databaseUrl)
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await admin`CREATE DATABASE ${admin(name)} TEMPLATE ${admin(await getTemplate(databaseUrl))}`

  const url = withDatabase(databaseUrl, name)
  const sql = connect(url)
  t.teardown(async () => {
    await sql.end({ timeout: 5 })
    await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`
    await admin.end({ timeout: 5 })
  })
  return { databaseUrl: url, sql }
}

/** Gives the database that holds all tables and nothing else; whoever comes first makes it. */
async function getTemplate(databaseUrl: string): Promise<string> {
  const template = `template_${hashOfMigrations()}`
  // A connection of its own: the lock belongs to it.
  const lock = connect(databaseUrl, { max: 1 })
  try {
    await lock`SELECT pg_advisory_lock(${LOCK})`
    const [existing] = await lock`SELECT 1 FROM pg_database WHERE datname = ${template}`
    if (existing) return template

    // Only a whole one has the name: a maker that is killed leaves a draft.
    const draft = `${template}_draft`
    await lock`DROP DATABASE IF EXISTS ${lock(draft)} WITH (FORCE)`
    await lock`CREATE DATABASE ${lock(draft)}`
    await migrate(withDatabase(databaseUrl, draft))
    await lock`ALTER DATABASE ${lock(draft)} RENAME TO ${lock(template)}`
    return template
  } finally {
    await lock.end({ timeout: 5 })
  }
}

function hashOfMigrations(): string {
  const hash = createHash('sha256')
  for (const file of readdirSync(MIGRATIONS)
    .filter(name => name.endsWith('.sql'))
    .sort())
    hash.update(readFileSync(join(MIGRATIONS, file)))
  return hash.digest('hex').slice(0, 12)
}

function connect(url: string, { max = 2 } = {}): Sql {
  return postgres(url, { ...connectionOptions, max })
}

function withDatabase(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  return url.href
}
