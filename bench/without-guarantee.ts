import type { Command } from '../stack/launch.ts'
import type { ContenderRun } from './contenders.ts'
import { type Cut, cutBuild } from './cut-build.ts'
import { toRunnerCommand } from './services.ts'

/** What the guarantee consists of, out of a compiled runner. Nothing of this is in the product, nor can be switched on there. */
export const GUARANTEE_CUTS: readonly Cut[] = [
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

/** The process of a runner whose guarantee was taken out, in the folder of the run. */
export function toUnguardedCommand(run: ContenderRun): Command {
  return toRunnerCommand(run, { dist: cutBuild(run.folder, GUARANTEE_CUTS) })
}
