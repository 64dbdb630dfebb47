import { insertDeadLetters } from '../db/queries/dead-letter-writes.ts'
import { insertOutbox } from '../db/queries/outbox.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import { toDeadLetter } from './dead-letter.ts'
import { countDead, type DeadRecord, type Tally, tallyOf, type WriteDependencies } from './settled.ts'
import { sortKnown } from './sort-known.ts'
import { toEntry } from './to-entry.ts'

const NONE: ReadonlySet<string> = new Set()

/**
 * Writes dead letters and counts them; one whose event is settled, or dead already, counts as a copy. `dead` may name an
 * event more than once.
 *
 * @returns the event ids of those that are new
 */
export async function writeDead(
  tx: WriteTransaction,
  dead: readonly DeadRecord[],
  tallies: Map<number, Tally>,
  dependencies: WriteDependencies
): Promise<ReadonlySet<string>> {
  if (dead.length === 0) return NONE
  const { groupId, topic, nowMs, toMirrorEntry } = dependencies
  const byId = new Map<string, DeadRecord>()
  for (const item of dead) if (!byId.has(item.record.id)) byId.set(item.record.id, item)

  const letters = [...byId.values()].map(({ record, reason }) => toDeadLetter(record, reason, nowMs()))
  const fresh = await insertDeadLetters(tx, { groupId, topic }, letters)
  if (toMirrorEntry) await insertOutbox(tx, letters.filter(({ eventId }) => fresh.has(eventId)).map(toMirrorEntry))
  for (const item of byId.values())
    if (fresh.has(item.record.id)) countDead(tallyOf(tallies, item.record.partition), item)

  const known = dead.filter(item => byId.get(item.record.id) !== item || !fresh.has(item.record.id))
  const entries = known.map(({ record }) => ({ record, entry: toEntry(record, [], null) }))
  const reused = await writeDead(tx, await sortKnown(tx, entries, tallies, dependencies), tallies, dependencies)
  return reused.size > 0 ? new Set([...fresh, ...reused]) : fresh
}
