import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { migrate } from '../db/migrate.ts'

/** Databases with empty tables, made in an instant. */
export interface Databases {
  /** Makes one and gives its address. The servers have written everything before it is there. */
  create(name: string): Promise<string>
  /** Removes one, whoever is connected. */
  drop(name: string): Promise<void>
  close(): Promise<void>
}

/** Migrates a template of its own, once. */
export async function openDatabases(databaseUrl: string): Promise<Databases> {
  const admin = openSql(databaseUrl)
  const template = `bench_template_${randomBytes(4).toString('hex')}`
  await admin.unsafe(`CREATE DATABASE ${template}`)
  await migrate(toAddress(databaseUrl, template))

  return {
    async create(name) {
      await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE ${template}`)
      await admin.unsafe('CHECKPOINT')
      return toAddress(databaseUrl, name)
    },
    async drop(name) {
      await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)
    },
    close: () => admin.end()
  }
}

/** One connection, for looking into a database. */
export function openSql(databaseUrl: string): Sql {
  // Whoever looks while PostgreSQL is away wants to see at once that it is back.
  return postgres(databaseUrl, { max: 1, backoff: () => 0.02, onnotice: () => undefined })
}

function toAddress(url: string, name: string): string {
  const made = new URL(url)
  made.pathname = `/${name}`
  return made.href
}
