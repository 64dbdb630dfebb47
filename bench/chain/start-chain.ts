import { randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { openDatabases, openSql } from '../databases.ts'
import type { Servers } from '../servers.ts'
import { type Place, type Service, startService, toGatewayCommand, toRunnerCommand } from '../services.ts'
import { layOutWal } from './lay-out-wal.ts'

/** From POST to row: a gateway, and a runner of `user-activities`, with a topic and a database of their own. */
export interface Chain {
  readonly servers: Servers
  readonly gateway: Service
  readonly runner: Service
  readonly databaseUrl: string
  readonly groupId: string
  /** One connection, for looking. */
  readonly sql: Sql
  /** Starts one more of a part; whoever starts it also stops it. */
  start(part: Part, settings?: Settings): Promise<Service>
  stop(): Promise<void>
}

type Part = 'gateway' | 'runner'
type Settings = Place['settings']

export interface ChainOptions {
  /** How many it will take, about, without end where nobody knows: the write-ahead log is laid out for them. */
  readonly events: number
  /** Of both parts. */
  readonly settings?: Settings
}

/** What the system is when somebody looks at its alerts: all functions run, and its own telemetry is data among the other. */
export const WITH_ALERTS: Settings = {
  FUNCTIONS: 'user-activities,system-metrics,error-logs,notifications',
  TELEMETRY_INTERVAL_MS: '10000'
}

/** Starts the chain, with empty tables. */
export async function startChain(servers: Servers, { events, settings = {} }: ChainOptions): Promise<Chain> {
  const { kafkaBrokers } = servers
  const id = `b${randomBytes(4).toString('hex')}`
  const prefix = `${id}.`
  const databases = await openDatabases(servers.databaseUrl)
  const databaseUrl = await databases.create(`bench_chain_${id}`)
  const place = { kafkaBrokers, databaseUrl, topicPrefix: prefix, groupPrefix: prefix }

  const gateway = await start('gateway', settings)
  const runner = await start('runner', settings)
  const sql = openSql(databaseUrl)
  await layOutWal(sql, events)

  return {
    ...{ servers, gateway, runner, databaseUrl, sql, groupId: `${prefix}user-activities`, start },
    async stop() {
      await sql.end()
      await Promise.all([gateway.stop(), runner.stop()])
      await databases.close()
    }
  }

  function start(part: Part, own: Settings = settings): Promise<Service> {
    const toCommand = part === 'gateway' ? toGatewayCommand : toRunnerCommand
    return startService(servers, part, {
      toCommand: port => toCommand({ ...place, port, settings: own }),
      path: '/health/ready'
    })
  }
}
