import type { InboxEntry } from '../db/queries/inbox.ts'
import { insertOutbox } from '../db/queries/outbox.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import type { Dead } from '../sdk/settle-record.ts'
import { openParking, toParked } from './parking.ts'
import { type DeadRecord, type SettledRecord, type Tally, tallyOf, type WriteDependencies } from './settled.ts'
import { sortKnown } from './sort-known.ts'
import { writeDead } from './write-dead.ts'
import { type Care, writeEntries } from './write-entries.ts'

/**
 * Writes what became of the records of a cycle: the inbox with its rows, the dead letters.
 *
 * @param options.care with any, an event whose rows PostgreSQL refuses is a dead letter; with `none` the refusal is
 * thrown, and nothing is settled
 * @param options.byCopy see `writeEntries`
 * @returns counts by partition, one for every partition of `settled`
 */
export async function writeOutcomes(
  tx: WriteTransaction,
  settled: readonly SettledRecord[],
  { care, byCopy = false }: { care: Care; byCopy?: boolean },
  dependencies: WriteDependencies
): Promise<Map<number, Tally>> {
  const { rowWriter, ordering, flood } = dependencies
  const tallies = new Map<number, Tally>()
  const records = settled.map(({ record }) => record)
  const parking = await openParking(tx, records, dependencies)
  const { firsts, copies } = dropCopies(settled.map(parking.sort))
  const dead: DeadRecord[] = []
  const handled = new Map<string, IdentifiedRecord>()
  const entries: InboxEntry[] = []

  for (const { record, outcome, entry } of firsts) {
    if (outcome.kind === 'dead') dead.push({ record, reason: outcome })
    if (!entry) continue
    handled.set(entry.id, record)
    entries.push(entry)
  }
  for (const { record } of settled) tallyOf(tallies, record.partition)

  const options = { care, byCopy, holdsKeys: ordering === 'key' }
  const { written, refused, held } = await writeEntries(tx, entries, options, dependencies)
  for (const { entry, error } of refused)
    kill(entry, { kind: 'dead', stage: 'persist', disposition: 'non_retriable', attempts: 1, error })
  for (const entry of held) kill(entry, toParked())
  const lost = new Set([...refused.map(({ entry }) => entry.id), ...held.map(({ id }) => id)])
  const known = firsts.filter(({ entry }) => entry && !written.has(entry.id) && !lost.has(entry.id))
  for (const entry of entries) if (written.has(entry.id)) count(tallyOf(tallies, entry.partition), entry)
  await insertOutbox(
    tx,
    firsts.flatMap(item => (written.has(item.record.id) ? toPublications(item, dependencies) : []))
  )

  dead.push(...(await sortKnown(tx, known, tallies, dependencies)))
  const fresh = await writeDead(tx, dead, tallies, dependencies)
  await parking.block(dead, fresh)
  await writeCopies()
  await flood.check(
    tx,
    settled.length,
    dead.filter(({ record }) => fresh.has(record.id))
  )
  return tallies

  /** Later records under an id of this cycle: now that the first is settled, they meet what any other copy meets. */
  async function writeCopies() {
    const reused = await sortKnown(tx, copies, tallies, dependencies)
    const others = copies.flatMap(({ record, outcome }) =>
      outcome.kind === 'dead' ? [{ record, reason: outcome }] : []
    )
    const late = [...reused, ...others]
    await parking.block(late, await writeDead(tx, late, tallies, dependencies))
  }

  function kill({ id }: InboxEntry, reason: Dead) {
    const record = handled.get(id)
    if (record) dead.push({ record, reason })
  }

  function count(tally: Tally, entry: InboxEntry) {
    tally.messages += 1
    tally.rows += rowWriter ? entry.rows.length : 0
    tally.lastMessageMs = Math.max(tally.lastMessageMs ?? 0, entry.timestampMs)
  }
}

/** What a record published, ready for the outbox. */
export function toPublications(
  { record, outcome }: Pick<SettledRecord, 'record' | 'outcome'>,
  { toOutboxEntries, nowMs }: Pick<WriteDependencies, 'toOutboxEntries' | 'nowMs'>
) {
  if (outcome.kind !== 'handled' || outcome.published.length === 0) return []
  return toOutboxEntries(record, outcome.published, nowMs())
}

/** Keeps the first record of each event, and parts the later ones: they share its outcome. */
function dropCopies(settled: readonly SettledRecord[]) {
  const seen = new Set<string>()
  const firsts: SettledRecord[] = []
  const copies: SettledRecord[] = []

  for (const item of settled) {
    const isFirst = !seen.has(item.record.id)
    seen.add(item.record.id)
    if (isFirst) firsts.push(item)
    else copies.push(item)
  }
  return { firsts, copies }
}
