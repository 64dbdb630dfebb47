import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { migrate } from '../../db/migrate.ts'
import { sendInTurn } from '../../db/send-in-turn.ts'
import { preparePostgres } from '../../stack/postgres.ts'
import { clearPostmaster } from '../../stack/postmaster.ts'
import { toClockEnvironment } from './faketime.ts'
import { copyFolder, createProcess, type Machine, type Process } from './machine.ts'
import { isTakingConnections, type Standby, startStandby } from './standby.ts'
import { CREATE_TABLES } from './tables.ts'

/** A PostgreSQL that may be killed, frozen, filled up and set back. */
export interface Postgres {
  readonly process: Process
  readonly port: number
  readonly data: string
  /** Makes a database with all tables, owned by a role without privileges. */
  createDatabase(name: string): Promise<FaultDatabase>
  /** As the superuser, in the database of the server's owner. */
  readonly admin: Sql
  /** Starts it; an old lock file is cleared away. */
  start(): Promise<void>
  /** Keeps a copy of its data folder, for which it is stopped and started. */
  backUp(): Promise<void>
  /** Replaces its data by the copy, for which it is stopped and started. */
  restore(): Promise<void>
  /** Starts it again with a clock that is off, such as `+1h`; null: with that of the machine. */
  setClock(shift: string | null): Promise<void>
  /** Starts a standby that streams from it, for which it is stopped and started. */
  startStandby(): Promise<Standby>
  heal(): Promise<void>
  stop(): Promise<void>
}

/** A database of one schedule. */
export interface FaultDatabase {
  readonly name: string
  /** The link of the system, past every proxy. */
  readonly url: string
  /** The checker's own, as the superuser: no limit of the system's role holds for it. */
  readonly sql: Sql
  drop(): Promise<void>
}

/** Who the system is in PostgreSQL. */
export const ROLE = 'faults'
const TEMPLATE = 'faults_template'
// A process that is killed loses nothing that it gave to the operating system; power stays on here.
const SETTINGS = ['fsync=off', 'full_page_writes=off', 'shared_buffers=64MB', 'max_connections=200']

/** Starts a PostgreSQL in the machine's folder. */
export async function startPostgres(
  machine: Machine,
  { dataFolder = machine.dataFolder }: { dataFolder?: string } = {}
): Promise<Postgres> {
  const site = { ...machine, dataFolder }
  const prepared = await preparePostgres(site, { port: 0, settings: SETTINGS })
  const data = prepared.folder
  const copy = `${data}.copy`
  let clock: string | null = null
  let standby: Standby | null = null
  const process = createProcess({
    name: 'postgres',
    command: async () => {
      await clearPostmaster(data, machine.log)
      const command = await prepared.part.command()
      return { ...command, env: { ...command.env, ...toClockEnvironment(clock) } }
    },
    // One that was a standby is asked to be more than that when it answers.
    isReady: pid => isTakingConnections(data, pid),
    records: machine.records
  })
  const password = randomBytes(12).toString('hex')
  const admin = connect(prepared.databaseUrl)

  await process.start()
  await createTemplate()

  return {
    process,
    port: prepared.port,
    data,
    admin,
    start: () => process.start(),
    async createDatabase(name) {
      await admin`CREATE DATABASE ${admin(name)} TEMPLATE ${admin(TEMPLATE)} OWNER ${admin(ROLE)}`
      const sql = connect(withDatabase(prepared.databaseUrl, name))
      return {
        name,
        url: urlOfRole(name),
        sql,
        async drop() {
          await sql.end({ timeout: 1 })
          await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`
        }
      }
    },
    async backUp() {
      await process.end('SIGINT')
      copyFolder(data, copy)
      await process.start()
    },
    async restore() {
      await process.end('SIGINT')
      rmSync(data, { recursive: true, force: true })
      copyFolder(copy, data)
      await process.start()
    },
    setClock,
    async startStandby() {
      const { databaseUrl, part } = prepared
      standby = await startStandby({ machine, primary: process, data, databaseUrl, admin, command: part.command })
      return standby
    },
    async heal() {
      process.resume()
      await standby?.discard()
      standby = null
      if (clock !== null) await setClock(null)
      await process.start()
      await retry(() => admin`ALTER SYSTEM RESET ALL`)
      await admin`SELECT pg_reload_conf()`
      await admin`ALTER ROLE ${admin(ROLE)} CONNECTION LIMIT -1`
    },
    async stop() {
      await admin.end({ timeout: 1 })
      await process.end('SIGINT')
      await standby?.discard()
      rmSync(copy, { recursive: true, force: true })
    }
  }

  async function setClock(shift: string | null) {
    await process.end('SIGINT')
    clock = shift
    await process.start()
  }

  function urlOfRole(database: string): string {
    return `postgres://${ROLE}:${password}@127.0.0.1:${prepared.port}/${database}`
  }

  async function createTemplate() {
    await admin.unsafe(`DROP DATABASE IF EXISTS ${TEMPLATE} WITH (FORCE)`)
    await admin.unsafe(`DROP ROLE IF EXISTS ${ROLE}`)
    await admin.unsafe(`CREATE ROLE ${ROLE} LOGIN NOSUPERUSER PASSWORD '${password}'`)
    await admin.unsafe(`CREATE DATABASE ${TEMPLATE} OWNER ${ROLE}`)
    await migrate(urlOfRole(TEMPLATE))
    const own = connect(urlOfRole(TEMPLATE))
    await own.unsafe(CREATE_TABLES)
    await own.end()
  }
}

/** Runs a query of ours until it gets an answer: the server may have been away for a moment. */
export async function retry<T>(query: () => Promise<T>, timeoutMs = 30_000): Promise<T> {
  for (const deadlineMs = Date.now() + timeoutMs; ; await sleep(200)) {
    try {
      return await query()
    } catch (error) {
      if (Date.now() > deadlineMs) throw error
    }
  }
}

/** Connects past the product. A server that breaks off must not swallow a statement of ours (`send-in-turn.ts`). */
export function connect(url: string, options: postgres.Options<Record<string, never>> = {}): Sql {
  const sql = postgres(url, {
    max: 3,
    onnotice: () => undefined,
    fetch_types: false,
    connect_timeout: 5,
    // As text: the driver leaves a setting out that is false, and then a reload that is still on its way decides.
    connection: { application_name: 'faults-checker', default_transaction_read_only: 'off' } as object,
    ...options
  })
  return sendInTurn(sql)
}

/** Gives a link to another database of the same server. */
function withDatabase(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  return url.href
}
