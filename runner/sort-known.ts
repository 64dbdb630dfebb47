import { isDeepStrictEqual } from 'node:util'
import { addCopies } from '../db/queries/dead-letter-writes.ts'
import { findSettled, type InboxEntry, type Settled } from '../db/queries/inbox.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import { type IdentifiedRecord, toText } from '../sdk/record.ts'
import { runnerErrors } from './errors.ts'
import { idFromPlace, type Place } from './identify.ts'
import { type DeadRecord, type SettledRecord, type Tally, tallyOf, type WriteDependencies } from './settled.ts'

/**
 * Sorts records whose event is known: a copy of a settled event, a copy of a dead letter, or another event under a used
 * id. Counts the copies, and gives the last kind as dead.
 */
export async function sortKnown(
  tx: WriteTransaction,
  known: readonly Pick<SettledRecord, 'record' | 'entry'>[],
  tallies: Map<number, Tally>,
  { groupId, topic, topicIdOf }: WriteDependencies
): Promise<DeadRecord[]> {
  const sorted = known.flatMap(({ record, entry }) => (entry ? [{ record, entry }] : []))
  if (sorted.length === 0) return []
  const ids = sorted.map(({ entry }) => entry.id)
  const settled = await findSettled(tx, { groupId, topic }, ids)
  const copies: { eventId: string; partition: number; offset: string }[] = []
  const reused: DeadRecord[] = []

  for (const { record, entry } of sorted) {
    const { id, partition, offset } = entry
    const before = settled.get(id)
    if (before && !isCopy(entry, before)) {
      reused.push(toReused(record, { topic, topicId: topicIdOf(partition), partition }))
      continue
    }
    tallyOf(tallies, partition).duplicates += 1
    if (before && !before.message) copies.push({ eventId: id, partition, offset })
  }
  if (copies.length > 0) await addCopies(tx, { groupId, topic }, copies)
  return reused
}

// What was redriven with an edit is in the inbox as edited; its record is still the one of the dead letter.
function isCopy(entry: InboxEntry, { message, letter }: Settled): boolean {
  if (message && isSame(entry, message)) return true
  return letter !== null && isSame(entry, { key: toText(letter.key), value: letter.value?.toString('utf8') ?? 'null' })
}

function isSame({ key, value }: InboxEntry, stored: NonNullable<Settled['message']>): boolean {
  if (key !== stored.key) return false
  if (value === stored.value) return true
  try {
    return isDeepStrictEqual(JSON.parse(value), JSON.parse(stored.value))
  } catch {
    // What is in the inbox is JSON.
    return false
  }
}

// Under its own id it would be taken for a copy of the event that had the id first.
function toReused(record: IdentifiedRecord, place: Place): DeadRecord {
  const error = new runnerErrors.SMG_RUNNER_ID_REUSED(record.id)
  return {
    record: { ...record, id: idFromPlace(record, place) },
    reason: { kind: 'dead', stage: 'persist', disposition: 'id_reused', attempts: 1, error }
  }
}
