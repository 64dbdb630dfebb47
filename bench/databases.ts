import postgres, { type Sql } from 'postgres'
import { migrate } from '../db/migrate.ts'

const TEMPLATE = 'bench_template'

/** Databases with empty tables, made in an instant. */
export interface Databases {
  /** Makes one and gives its address. The servers have written everything before it is there. */
  create(name: string): Promise<string>
  /** Removes one, whoever is connected. */
  drop(name: string): Promise<void>
  close(): Promise<void>
}

/** Migrates a template, once. */
export async function openDatabases(databaseUrl: string): Promise<Databases> {
  const admin = openSql(databaseUrl)
  await admin.unsafe(`CREATE DATABASE ${TEMPLATE}`)
  await migrate(toAddress(databaseUrl, TEMPLATE))

  return {
    async create(name) {
      await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`)
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
  return postgres(databaseUrl, { max: 1, onnotice: () => undefined })
}

function toAddress(url: string, name: string): string {
  const made = new URL(url)
  made.pathname = `/${name}`
  return made.href
}
