import { spawn } from 'node:child_process'
import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findRunState, type RunState, runFolderOf } from './run-state.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const DEADLINE_MS = 180_000

/** Starts the keeper of a run and waits until its servers answer, or until it tells why they do not. */
export async function startKeeper(ownerPid: number): Promise<RunState> {
  const running = findRunState(ownerPid)
  if (running) return running

  const logFile = join(runFolderOf(ownerPid), 'keeper.log')
  mkdirSync(runFolderOf(ownerPid), { recursive: true })
  const log = openSync(logFile, 'a')
  const args = ['--import', 'tsx', join(import.meta.dirname, 'keeper.ts'), String(ownerPid)]
  // Its own group: Ctrl-C ends the tests, and the keeper ends the servers.
  const keeper = spawn(process.execPath, args, { cwd: ROOT, detached: true, stdio: ['ignore', log, log] })
  keeper.unref()

  for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await sleep(50)) {
    const state = findRunState(ownerPid)
    if (state) return state
    if (keeper.exitCode !== null)
      throw new Error(`the keeper of the test servers died:\n${readFileSync(logFile, 'utf8')}`)
  }
  keeper.kill('SIGTERM')
  throw new Error(`no test servers within ${DEADLINE_MS} ms:\n${readFileSync(logFile, 'utf8')}`)
}
