import { chownSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from 'postgres'
import type { Command } from '../../stack/launch.ts'
import { copyFolder, createProcess, type Machine, type Process } from './machine.ts'
import { retry } from './postgres.ts'

/** A second server that follows the first. */
export interface Standby {
  /** Rejects unless it streams within some seconds. */
  expectStreaming(): Promise<void>
  /** Stops it: from now on it is behind. */
  stop(): Promise<void>
  /** Puts its data in the place of those of the first, which must be dead. */
  takePlace(): Promise<void>
  /** Stops it and removes its data; does nothing when they took the place. */
  discard(): Promise<void>
}

export interface StandbyOptions {
  readonly machine: Machine
  readonly primary: Process
  readonly data: string
  readonly databaseUrl: string
  readonly admin: Sql
  /** The command of the first server. */
  readonly command: () => Promise<Command>
}

const NAME = 'faults_standby'
// Lines of postmaster.pid, from 0.
const PID = 0
const STATUS = 7

/** Copies the data of a server, for which it is stopped and started, and starts a standby on the copy. */
export async function startStandby(options: StandbyOptions): Promise<Standby> {
  const { machine, primary, data, databaseUrl, admin } = options
  const copy = `${data}.standby`
  await primary.end('SIGINT')
  copyFolder(data, copy)
  await primary.start()

  const { uid, gid } = statSync(copy)
  const signal = join(copy, 'standby.signal')
  writeFileSync(signal, '', { mode: 0o600 })
  chownSync(signal, uid, gid)
  const port = await machine.findPort(0)
  const url = new URL(databaseUrl)
  const conninfo = `host=127.0.0.1 port=${url.port} user=${url.username} password=${url.password} application_name=${NAME}`
  const standby = createProcess({
    name: 'postgres-standby',
    command: async () => {
      const { args, ...rest } = await options.command()
      const own = ['-D', copy, '-p', String(port), '-c', `primary_conninfo=${conninfo}`]
      // Of two settings the last counts.
      return { ...rest, args: [...args, ...own] }
    },
    isReady: pid => isTakingConnections(copy, pid),
    records: machine.records
  })
  await standby.start()

  return {
    expectStreaming: () =>
      retry(async () => {
        const rows =
          await admin`SELECT FROM pg_stat_replication WHERE application_name = ${NAME} AND state = 'streaming'`
        if (rows.length === 0) throw new Error('the standby does not stream')
      }, 15_000),
    async stop() {
      await standby.end('SIGINT')
    },
    async takePlace() {
      rmSync(data, { recursive: true, force: true })
      renameSync(copy, data)
    },
    async discard() {
      await standby.end('SIGINT')
      rmSync(copy, { recursive: true, force: true })
    }
  }
}

/** Says whether a server takes connections, be it to read only. */
export function isTakingConnections(data: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
    return lines[PID] === String(pid) && /^(ready|standby)/.test(lines[STATUS] ?? '')
  } catch {
    return false
  }
}
