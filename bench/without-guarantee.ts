import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../stack/launch.ts'
import type { ContenderRun } from './contenders.ts'
import { DIST, ROOT, toRunnerCommand } from './services.ts'

interface Cut {
  /** Of the compiled runner. */
  readonly file: string
  /** Is there exactly once. */
  readonly find: string
  readonly replace: string
}

/** What the guarantee consists of, out of a compiled runner. Nothing of this is in the product, nor can be switched on there. */
const CUTS: readonly Cut[] = [
  // The positions in PostgreSQL: not locked, compared or moved; Kafka's own commit is all that is left.
  {
    file: 'runner/positions-of-cycle.js',
    find: 'export async function claimPositions(tx, moves, { groupId, topic }) {',
    replace: 'export async function claimPositions(tx, moves, { groupId, topic }) {\n    return;'
  },
  {
    file: 'runner/positions-of-cycle.js',
    find: 'export async function movePositions(tx, moves, tallies, { groupId, topic }) {',
    replace: 'export async function movePositions(tx, moves, tallies, { groupId, topic }) {\n    return;'
  },
  {
    file: 'runner/check-positions.js',
    find: 'async function reload(partitions = [...owned.keys()]) {',
    replace: 'async function reload(partitions = [...owned.keys()]) {\n        return;'
  },
  // What is known already: not among the dead letters, not within a cycle, not in the inbox.
  {
    file: 'runner/write-entries.js',
    find: 'async function withoutDead(given) {',
    replace: 'async function withoutDead(given) {\n        return given;'
  },
  {
    file: 'runner/write-outcomes.js',
    find: 'dropCopies(settled.map(parking.sort));',
    replace: '{ firsts: settled.map(parking.sort), copies: [] };'
  },
  {
    file: 'db/queries/inbox.js',
    find: 'const INBOX = toInbox(WITHOUT_DEAD);',
    replace: "const INBOX = toInbox('WHERE $1::text IS NOT NULL');"
  },
  { file: 'db/queries/inbox.js', find: 'ON CONFLICT (topic, id) DO NOTHING', replace: '' }
]

/** Makes a copy of the compiled runner in the folder of the run, takes the guarantee out of it, and gives its process. */
export function toUnguardedCommand(run: ContenderRun): Command {
  mkdirSync(run.folder)
  const dist = join(run.folder, 'dist')
  cpSync(DIST, dist, { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(run.folder, 'node_modules'))
  for (const { file, find, replace } of CUTS) {
    const path = join(dist, file)
    const parts = readFileSync(path, 'utf8').split(find)
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${find}`)
    writeFileSync(path, parts.join(replace))
  }
  return toRunnerCommand(run, { dist })
}
