import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { stackErrors } from './errors.ts'
import { isAlive, ownIdentity, type ProcessIdentity } from './processes.ts'

/**
 * Takes a data folder for this process, also over a holder that was killed. Gives the release.
 *
 * @throws SMG_STACK_RUNNING while another process holds it
 */
export function takeLock(file: string): () => void {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, JSON.stringify(ownIdentity()), { mode: 0o600 })

  try {
    // A link is made or refused in one step, with its content: nobody ever reads half a lock.
    while (!tryLink(mine, file)) dropDeadHolder(file)
  } finally {
    rmSync(mine, { force: true })
  }
  return () => rmSync(file, { force: true })
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function dropDeadHolder(file: string) {
  const holder = readHolder(file)
  if (holder && isAlive(holder)) throw new stackErrors.SMG_STACK_RUNNING(holder.pid, dirname(file))

  // Moved and looked at again before it is removed: another start may have taken the lock since it was read.
  const aside = `${file}.${process.pid}.old`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const moved = readHolder(aside)
  if (moved && isAlive(moved)) tryLink(aside, file)
  rmSync(aside, { force: true })
}

function readHolder(file: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
