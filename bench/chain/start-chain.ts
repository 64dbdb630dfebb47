import { randomBytes } from 'node:crypto'
import type { Sql } from 'postgres'
import { openDatabases, openSql } from '../databases.ts'
import type { Servers } from '../servers.ts'
import { type Service, startService, toGatewayCommand, toRunnerCommand } from '../services.ts'

/** From POST to row: a gateway, and a runner of `user-activities`, with a topic and a database of their own. */
export interface Chain {
  readonly servers: Servers
  readonly gateway: Service
  readonly runner: Service
  readonly databaseUrl: string
  readonly groupId: string
  /** One connection, for looking. */
  readonly sql: Sql
  stop(): Promise<void>
}

/** Starts the chain, with empty tables. */
export async function startChain(servers: Servers): Promise<Chain> {
  const { kafkaBrokers } = servers
  const prefix = `b${randomBytes(4).toString('hex')}.`
  const databases = await openDatabases(servers.databaseUrl)
  const databaseUrl = await databases.create('bench_chain')
  const place = { kafkaBrokers, databaseUrl, topicPrefix: prefix, groupPrefix: prefix }

  const path = '/health/ready'
  const gateway = await startService(servers, 'gateway', {
    toCommand: port => toGatewayCommand({ ...place, port }),
    path
  })
  const runner = await startService(servers, 'runner', { toCommand: port => toRunnerCommand({ ...place, port }), path })
  const sql = openSql(databaseUrl)

  return {
    ...{ servers, gateway, runner, databaseUrl, sql, groupId: `${prefix}user-activities` },
    async stop() {
      await sql.end()
      await Promise.all([gateway.stop(), runner.stop()])
      await databases.close()
    }
  }
}
