import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, type ProcessIdentity } from '../../stack/processes.ts'
import { writeFileAtomically } from '../../stack/write-file.ts'

// Each run of tests has a folder, named after the process that it belongs to: tap, or a test file that is run by hand.
// tap's own process is the parent of the `--before` script and of every test file: so they find each other, and runs in
// one checkout do not meet.
const PREFIX = 'smg-test-'

/** What the keeper of a run tells: where the servers are, or why there are none. */
export interface RunState {
  readonly owner: ProcessIdentity
  readonly keeper: ProcessIdentity
  /** False while the servers are starting. */
  readonly isSettled: boolean
  readonly kafkaBrokers: string
  readonly databaseUrl: string
  /** Null when everything started. */
  readonly error: string | null
  /** What the user should know, such as an engine for containers that did not answer. */
  readonly notes: readonly string[]
}

/** Gives the folder of a run. */
export function runFolderOf(ownerPid: number): string {
  return join(tmpdir(), `${PREFIX}${ownerPid}`)
}

/** Gives the folder for the records of what test files start; made if it is missing. */
export function processFolderOf(runFolder: string): string {
  const folder = join(runFolder, 'processes')
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Gives the folders of all runs of this machine. */
export function listRunFolders(): string[] {
  const names = readdirSync(tmpdir()).filter(name => name.startsWith(PREFIX) && /^\d+$/.test(name.slice(PREFIX.length)))
  return names.map(name => join(tmpdir(), name))
}

/** Gives the state of a run whose servers answer, or failed; null when there is none, or its owner or keeper is gone. */
export function findRunState(ownerPid: number): RunState | null {
  const state = readState(runFolderOf(ownerPid))
  return state?.isSettled && isAlive(state.owner) && isAlive(state.keeper) ? state : null
}

/** Gives what stands in a run's folder, however old. */
export function readState(runFolder: string): RunState | null {
  try {
    return JSON.parse(readFileSync(join(runFolder, 'state.json'), 'utf8'))
  } catch {
    return null
  }
}

export function writeState(runFolder: string, state: RunState) {
  writeFileAtomically(join(runFolder, 'state.json'), JSON.stringify(state))
}
