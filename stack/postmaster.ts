import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './output.ts'
import { endProcess, findStartTime } from './processes.ts'

// Lines of postmaster.pid (PostgreSQL's pidfile.h), from 0.
const PID = 0
const STATUS = 7
const REAP_DEADLINE_MS = 5_000
const STOP_DEADLINE_MS = 5_000

/** Says whether the server with this pid takes connections: what `pg_ctl -w` waits for. */
export function isPostmasterReady(data: string, pid: number): boolean {
  const lines = readLines(data)
  return lines[PID] === String(pid) && lines[STATUS]?.trim() === 'ready'
}

/**
 * Makes way for a new server in a data folder: ends one that still works there, waits for one that is dead and not yet
 * reaped, and removes the postmaster.pid of one that is gone. PostgreSQL itself would refuse to start over a pid that is
 * in use, whoever has it now.
 */
export async function clearPostmaster(data: string, log: Log) {
  const pid = Number(readLines(data)[PID])
  if (!Number.isInteger(pid) || pid <= 0) return

  const startTime = findStartTime(pid)
  if (startTime !== null && worksIn(data).includes(pid)) {
    log.warn(`ends a PostgreSQL (process ${pid}) that was left running`)
    await endProcess({ pid, startTime }, 'SIGINT', STOP_DEADLINE_MS)
  }

  // Its other processes end by themselves; while one of them works in the folder, the file protects it.
  const deadline = Date.now() + REAP_DEADLINE_MS
  while (worksIn(data).length > 0 && Date.now() < deadline) await sleep(50)
  if (worksIn(data).length === 0) rmSync(join(data, 'postmaster.pid'), { force: true })
}

/** Gives the processes of a server that works in `data`; without /proc its first one only. */
function worksIn(data: string): number[] {
  if (!existsSync('/proc')) return pidsWithoutProc(data)
  const folder = realpathSync(data)
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && folderOf(name) === folder && findStartTime(Number(name)) !== null)
    .map(Number)
}

function folderOf(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    // Gone meanwhile, a zombie, or another user's: not a server of ours.
    return null
  }
}

function pidsWithoutProc(data: string): number[] {
  const pid = readLines(data)[PID] ?? ''
  const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', pid], { encoding: 'utf8' })
  return stdout.includes(data) ? [Number(pid)] : []
}

function readLines(data: string): string[] {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return []
  }
}
