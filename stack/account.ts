import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stackErrors } from './errors.ts'

/** A user of this machine. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Where root puts what another user must reach and cannot reach at its place. */
const SHELTER = '/var/lib/smg-kafka'

/**
 * Chooses the user that PostgreSQL runs as: null for the one that runs this process, unless that is root, which PostgreSQL
 * refuses; then `postgres` or `nobody`.
 *
 * @throws SMG_STACK_NO_ACCOUNT when root has neither
 */
export function findServerAccount(userId = process.getuid?.(), passwdFile = '/etc/passwd'): Account | null {
  if (userId !== 0) return null

  const users = new Map(
    readFileSync(passwdFile, 'utf8')
      .split('\n')
      .map(line => [line.split(':')[0], line.split(':')])
  )
  const [, , uid, gid] = users.get('postgres') ?? users.get('nobody') ?? []
  if (uid === undefined || gid === undefined) throw new stackErrors.SMG_STACK_NO_ACCOUNT()
  return { uid: Number(uid), gid: Number(gid) }
}

/** Gives a folder that another user can own: itself, or, when a parent is closed (such as /root), one in the shelter. */
export function reachableFolder(folder: string): string {
  if (isReachable(dirname(folder))) return folder
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 12)
  const shelter = join(SHELTER, name)
  mkdirSync(shelter, { recursive: true, mode: 0o755 })
  return shelter
}

/** Gives a folder of programs that every user can reach: itself, or a copy in the shelter. */
export function reachablePrograms(folder: string, version: string): string {
  if (isReachable(folder)) return folder
  const copy = join(SHELTER, version)
  if (existsSync(copy)) return copy

  const draft = `${copy}.${process.pid}`
  cpSync(folder, draft, { recursive: true, verbatimSymlinks: true })
  renameSync(draft, copy)
  rmSync(draft, { recursive: true, force: true })
  return copy
}

/** Says whether the way to a folder, and it, are open to others. What does not exist yet will be. */
function isReachable(folder: string): boolean {
  const mode = statSync(folder, { throwIfNoEntry: false })?.mode ?? 0o001
  return (mode & 0o001) !== 0 && (dirname(folder) === folder || isReachable(dirname(folder)))
}
