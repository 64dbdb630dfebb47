import { isDeepStrictEqual } from 'node:util'
import { databaseFault } from '../db/database-fault.ts'
import { addCopies, insertDeadLetters } from '../db/queries/dead-letter-writes.ts'
import { findSettled, type InboxEntry, type Settled, writeInbox } from '../db/queries/inbox.ts'
import { insertOutbox } from '../db/queries/outbox.ts'
import type { RowWriter } from '../db/queries/row-writer.ts'
import type { WriteTransaction } from '../db/writer.ts'
import { deriveEventId, timestampMsOf } from '../sdk/event-id.ts'
import { type IdentifiedRecord, toHeaders, toLegalMs, toText } from '../sdk/record.ts'
import type { Dead, Outcome } from '../sdk/settle-record.ts'
import { toDeadLetter } from './dead-letter.ts'
import { runnerErrors } from './errors.ts'
import { idFromPlace, type Place } from './identify.ts'
import type { ToMirrorEntry } from './mirror.ts'
import type { ToOutboxEntries } from './outbox-entries.ts'

/** A record with what became of it. */
export interface SettledRecord {
  readonly record: IdentifiedRecord
  readonly outcome: Extract<Outcome, { kind: 'handled' | 'dead' }>
  /** Rows of the function's table; empty without one, and for the dead. */
  readonly entry: InboxEntry | null
}

/** A record that cannot be settled, with the reason. */
export interface DeadRecord {
  readonly record: IdentifiedRecord
  readonly reason: Dead
}

/** What the outcomes of one partition came to. */
export interface Tally {
  messages: number
  rows: number
  deadLetters: number
  duplicates: number
  /** Null when nothing was new. */
  lastMessageMs: number | null
}

export interface WriteDependencies {
  readonly groupId: string
  readonly topic: string
  readonly topicIdOf: (partition: number) => string | null
  readonly rowWriter: RowWriter | null
  readonly toOutboxEntries: ToOutboxEntries
  /** Copies of dead letters; without it there are none. */
  readonly toMirrorEntry?: ToMirrorEntry
  readonly nowMs: () => number
}

/**
 * Writes what became of the records of a cycle: the inbox with its rows, the dead letters.
 *
 * @param options.isCareful writes the events behind savepoints and halves what PostgreSQL refuses, until the one that
 * it refuses stands alone and is a dead letter. Without it the first refusal is thrown, and nothing is settled.
 * @returns counts by partition, one for every partition of `settled`
 */
export async function writeOutcomes(
  tx: WriteTransaction,
  settled: readonly SettledRecord[],
  { isCareful }: { isCareful: boolean },
  dependencies: WriteDependencies
): Promise<Map<number, Tally>> {
  const { rowWriter } = dependencies
  const tallies = new Map<number, Tally>()
  const { firsts, copies } = dropCopies(settled)
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

  const { written, refused } = await writeEntries(tx, entries, { isCareful }, dependencies)
  for (const { entry, error } of refused) {
    const record = handled.get(entry.id)
    if (record)
      dead.push({
        record,
        reason: { kind: 'dead', stage: 'persist', disposition: 'non_retriable', attempts: 1, error }
      })
  }
  const known = firsts.filter(
    ({ entry }) => entry && !written.has(entry.id) && !refused.some(other => other.entry === entry)
  )
  for (const entry of entries) if (written.has(entry.id)) count(tallyOf(tallies, entry.partition), entry)
  await insertOutbox(
    tx,
    firsts.flatMap(item => (written.has(item.record.id) ? toPublications(item, dependencies) : []))
  )

  dead.push(...(await sortKnown(tx, known, tallies, dependencies)))
  await writeDead(tx, dead, tallies, dependencies)
  await writeCopies()
  return tallies

  /** Later records under an id of this cycle: now that the first is settled, they meet what any other copy meets. */
  async function writeCopies() {
    const reused = await sortKnown(tx, copies, tallies, dependencies)
    const others = copies.flatMap(({ record, outcome }) =>
      outcome.kind === 'dead' ? [{ record, reason: outcome }] : []
    )
    await writeDead(tx, [...reused, ...others], tallies, dependencies)
  }

  function count(tally: Tally, entry: InboxEntry) {
    tally.messages += 1
    tally.rows += rowWriter ? entry.rows.length : 0
    tally.lastMessageMs = Math.max(tally.lastMessageMs ?? 0, entry.timestampMs)
  }
}

/**
 * Writes dead letters and counts them; one whose event is settled, or dead already, counts as a copy. `dead` may name an
 * event more than once.
 */
export async function writeDead(
  tx: WriteTransaction,
  dead: readonly DeadRecord[],
  tallies: Map<number, Tally>,
  dependencies: WriteDependencies
): Promise<void> {
  if (dead.length === 0) return
  const { groupId, topic, nowMs, toMirrorEntry } = dependencies
  const byId = new Map<string, DeadRecord>()
  for (const item of dead) if (!byId.has(item.record.id)) byId.set(item.record.id, item)

  const letters = [...byId.values()].map(({ record, reason }) => toDeadLetter(record, reason, nowMs()))
  const fresh = await insertDeadLetters(tx, { groupId, topic }, letters)
  if (toMirrorEntry) await insertOutbox(tx, letters.filter(({ eventId }) => fresh.has(eventId)).map(toMirrorEntry))
  for (const { record } of byId.values()) if (fresh.has(record.id)) tallyOf(tallies, record.partition).deadLetters += 1

  const known = dead.filter(item => byId.get(item.record.id) !== item || !fresh.has(item.record.id))
  const entries = known.map(({ record }) => ({ record, entry: toEntry(record, [], null) }))
  await writeDead(tx, await sortKnown(tx, entries, tallies, dependencies), tallies, dependencies)
}

/** Gives the counts of a partition, from nothing when it has none yet. */
export function tallyOf(tallies: Map<number, Tally>, partition: number): Tally {
  const tally = tallies.get(partition) ?? { messages: 0, rows: 0, deadLetters: 0, duplicates: 0, lastMessageMs: null }
  tallies.set(partition, tally)
  return tally
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

interface Written {
  /** Ids of the events that were new. */
  readonly written: ReadonlySet<string>
  readonly refused: readonly { entry: InboxEntry; error: unknown }[]
}

async function writeEntries(
  tx: WriteTransaction,
  entries: readonly InboxEntry[],
  { isCareful }: { isCareful: boolean },
  { groupId, topic, rowWriter }: WriteDependencies
): Promise<Written> {
  const written = new Set<string>()
  const refused: { entry: InboxEntry; error: unknown }[] = []

  async function write(part: readonly InboxEntry[]) {
    const { newIds, rowCount } = await writeInbox(tx, { groupId, topic }, part, rowWriter)
    const fresh = newIds === null ? part : part.filter(entry => newIds.has(entry.id))
    const expected = fresh.reduce((sum, entry) => sum + entry.rows.length, 0)
    if (rowCount !== expected) throw new runnerErrors.SMG_RUNNER_ROWS_LOST(rowCount, expected)
    for (const { id } of fresh) written.add(id)
  }

  async function bisect(part: readonly InboxEntry[]): Promise<void> {
    try {
      await tx.savepoint(() => write(part))
    } catch (error) {
      if (databaseFault(error) !== 'record') throw error
      const [only] = part
      if (part.length === 1 && only) refused.push({ entry: only, error })
      else await halve(part)
    }
  }

  async function halve(part: readonly InboxEntry[]) {
    const middle = part.length >> 1
    await bisect(part.slice(0, middle))
    await bisect(part.slice(middle))
  }

  if (entries.length === 0) return { written, refused }
  if (!isCareful) await write(entries)
  // The whole was refused already, by the transaction before this one.
  else if (entries.length > 1) await halve(entries)
  else await bisect(entries)
  return { written, refused }
}

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
    if (before?.message && !isSame(entry, before.message)) {
      reused.push(toReused(record, { topic, topicId: topicIdOf(partition), partition }))
      continue
    }
    tallyOf(tallies, partition).duplicates += 1
    if (before && !before.message) copies.push({ eventId: id, partition, offset })
  }
  if (copies.length > 0) await addCopies(tx, { groupId, topic }, copies)
  return reused
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

/**
 * Makes the inbox entry of a handled record, with the rows that its function gave.
 *
 * @throws what a row does whose value its column cannot take, and SMG_RUNNER's callers treat as the record's fault
 */
export function toEntry(
  record: IdentifiedRecord,
  rows: readonly Record<string, unknown>[],
  rowWriter: RowWriter | null
): InboxEntry {
  const { id, partition, offset, key, value, headers, timestampMs } = record
  return {
    id,
    partition,
    offset,
    key: toText(key),
    value: value?.toString('utf8') ?? 'null',
    headers: JSON.stringify(toHeaders(headers)),
    timestampMs: toLegalMs(timestampMs),
    rows: rowWriter ? rows.map((row, index) => rowWriter.toRow(row, toRowId(id, index), id)) : []
  }
}

/** The id of an event's row: the event's own for the first, derived from it for the others. */
function toRowId(eventId: string, index: number): string {
  return index === 0 ? eventId : deriveEventId(timestampMsOf(eventId), [eventId, 'row', String(index)])
}
