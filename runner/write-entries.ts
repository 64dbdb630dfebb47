import { copyLineOf, databaseFault, detailOf, isOfEvent, sqlState } from '../db/database-fault.ts'
import { copyInbox, findDeadEvents, LEAST_COPIED } from '../db/queries/copy-inbox.ts'
import { type InboxEntry, writeInbox } from '../db/queries/inbox.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import { runnerErrors } from './errors.ts'
import type { WriteDependencies } from './settled.ts'

/**
 * `none`: the first refusal is thrown. `again`: the whole was refused before, and is written in parts behind savepoints.
 * `ready`: refusals are expected, because there were some lately, and the parts are smaller.
 */
export type Care = 'none' | 'again' | 'ready'

// A refusal costs what its part had written. More parts cost round trips, and `again` must keep to its number of them.
const PARTS = { none: 1, again: 4, ready: 8 } as const
// Of a COPY fewer: it cannot be sent ahead of the answer to the one before, and its refusal names the line.
const COPIED_PARTS = 2
/** Unique and foreign keys. */
const KEYS: ReadonlySet<string> = new Set(['23505', '23503'])
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/

interface EntryOptions {
  readonly care: Care
  readonly byCopy?: boolean
  readonly holdsKeys?: boolean
  readonly isRedrive?: boolean
}

interface Written {
  /** Ids of the events that were new. */
  readonly written: ReadonlySet<string>
  readonly refused: readonly { entry: InboxEntry; error: unknown }[]
  /** Left out behind a refused one of their key. */
  readonly held: readonly InboxEntry[]
}

interface Part {
  readonly entries: readonly InboxEntry[]
  /** What it is of one that was refused: a piece beside the row that PostgreSQL named, or a half. */
  readonly of: 'whole' | 'piece' | 'half'
  readonly isCopied: boolean
}

/**
 * Writes events with their rows.
 *
 * @param options.care with any, a part that PostgreSQL refuses is cut at the row that it names, or else halved, from the
 * first to the last, until the event that it refuses stands alone: at most 2·⌈log2 n⌉ + 1 further statements for each,
 * and with `ready` five more that were sent ahead
 * @param options.byCopy by COPY where they are many and their table takes it, unless `care` is `again`: with `none` an
 * event that is not new is a refusal then (`isOfEvent`)
 * @param options.holdsKeys leaves out what follows a refused one of its key
 * @param options.isRedrive writes events that have a dead letter
 */
export async function writeEntries(
  tx: WriteTransaction,
  entries: readonly InboxEntry[],
  { care, byCopy = false, holdsKeys = false, isRedrive = false }: EntryOptions,
  { groupId, topic, rowWriter }: Pick<WriteDependencies, 'groupId' | 'topic' | 'rowWriter'>
): Promise<Written> {
  const written = new Set<string>()
  const refused: { entry: InboxEntry; error: unknown }[] = []
  const held: InboxEntry[] = []
  const heldKeys = new Set<string>()
  const isCopied =
    byCopy && care !== 'again' && entries.length >= LEAST_COPIED && (await (rowWriter?.isCopyable(tx) ?? true))

  async function write(part: readonly InboxEntry[]) {
    const { newIds, rowCount } = await writeInbox(tx, { groupId, topic, isRedrive }, part, rowWriter)
    conclude(newIds === null ? part : part.filter(entry => newIds.has(entry.id)), rowCount)
  }

  async function copy(part: readonly InboxEntry[]) {
    const copied = await copyInbox(tx, topic, part, rowWriter, { first: care === 'none' ? 'events' : 'rows' })
    if (!copied) return write(part)
    if (copied.eventCount !== part.length) throw new runnerErrors.SMG_RUNNER_ROWS_LOST(copied.eventCount, part.length)
    conclude(part, copied.rowCount)
  }

  function conclude(fresh: readonly InboxEntry[], rowCount: number) {
    const expected = fresh.reduce((sum, entry) => sum + entry.rows.length, 0)
    if (rowCount !== expected) throw new runnerErrors.SMG_RUNNER_ROWS_LOST(rowCount, expected)
    for (const { id } of fresh) written.add(id)
  }

  /** Writes parts in turn, as many together as `care` allows, and isolates what is refused in them. */
  async function writeParts(given: readonly Part[]): Promise<void> {
    for (let waiting = given; waiting.length > 0; ) {
      const parts = waiting.map(withoutHeld).filter(({ entries }) => entries.length > 0)
      const [first] = parts
      if (!first) return
      const together = parts.slice(0, first.isCopied || care !== 'ready' ? 1 : countTogether(parts))
      const { done, refusal } = first.isCopied ? await copyPart(first) : await tx.savepoints(together.map(toWork))
      waiting = parts.slice(done)
      const [part] = waiting
      if (done === together.length || !part) continue
      if (databaseFault(refusal) !== 'record') throw refusal

      const [only] = part.entries
      waiting = waiting.slice(1)
      // That an event is not new, or comes later, is no fault of anybody's; only a COPY is told so.
      if (part.isCopied && isOfOrder(refusal, part.entries)) waiting = [{ ...part, isCopied: false }, ...waiting]
      else if (part.entries.length > 1 || !only) waiting = [...divide(part, refusal), ...waiting]
      else refuse(only, refusal)
    }
  }

  async function copyPart({ entries: part }: Part): Promise<{ done: number; refusal?: unknown }> {
    try {
      await tx.savepoint(() => copy(part))
      return { done: 1 }
    } catch (refusal) {
      return { done: 0, refusal }
    }
  }

  function toWork({ entries: part }: Part) {
    return () => write(part)
  }

  function refuse(entry: InboxEntry, error: unknown) {
    refused.push({ entry, error })
    if (holdsKeys && entry.key !== null) heldKeys.add(entry.key)
  }

  function withoutHeld(part: Part): Part {
    if (heldKeys.size === 0) return part
    held.push(...part.entries.filter(isHeld))
    return { ...part, entries: part.entries.filter(entry => !isHeld(entry)) }
  }

  function isHeld({ key }: InboxEntry): boolean {
    return key !== null && heldKeys.has(key)
  }

  if (entries.length === 0) return { written, refused, held }
  if (care === 'none' && !isCopied) await write(entries)
  else if (care === 'none') await copy(await withoutDead(entries))
  else {
    const parts = split(isCopied ? await withoutDead(entries) : entries, isCopied ? COPIED_PARTS : PARTS[care])
    await writeParts(parts.map(part => ({ entries: part, of: 'whole', isCopied })))
  }
  return { written, refused, held }

  /** An INSERT leaves them out itself. */
  async function withoutDead(given: readonly InboxEntry[]): Promise<readonly InboxEntry[]> {
    const dead = await findDeadEvents(
      tx,
      { groupId, topic },
      given.map(({ id }) => id)
    )
    return dead.size === 0 ? given : given.filter(({ id }) => !dead.has(id))
  }
}

/** Smaller parts of one that was refused: cut at the row that the refusal names, or else halves. */
function divide({ entries, of, isCopied }: Part, refusal: unknown): Part[] {
  // Once only: what PostgreSQL says of a row may hold the id of another one.
  const named = of === 'whole' ? findNamed(refusal, entries) : -1
  if (named === -1) return split(entries, 2).map(half => ({ entries: half, of: 'half', isCopied }))
  return cut(entries, named).map(piece => ({ entries: piece, of: 'piece', isCopied }))
}

/** How many parts are worth sending together: one of two halves is refused, and what was sent behind it is sent again. */
function countTogether(parts: readonly Part[]): number {
  const end = parts.findIndex(({ of, isCopied }) => of === 'half' || isCopied)
  return end === -1 ? parts.length : Math.max(1, end)
}

/** Parts of about one size, in order; none of them empty. */
function split(entries: readonly InboxEntry[], parts: number): InboxEntry[][] {
  if (entries.length === 0) return []
  const size = Math.ceil(entries.length / parts)
  return Array.from({ length: Math.ceil(entries.length / size) }, (_, index) =>
    entries.slice(index * size, (index + 1) * size)
  )
}

/** What comes before an entry, it alone, and what comes after it. */
function cut(entries: readonly InboxEntry[], at: number): InboxEntry[][] {
  return [entries.slice(0, at), entries.slice(at, at + 1), entries.slice(at + 1)].filter(({ length }) => length > 0)
}

/** The entry whose row PostgreSQL names in its refusal ("Failing row contains (…", "COPY t, line 7"); -1 when it names none. */
function findNamed(error: unknown, entries: readonly InboxEntry[]): number {
  const named = findById(error, entries)
  return named === -1 ? findLine(copyLineOf(error), entries) : named
}

function findById(error: unknown, entries: readonly InboxEntry[]): number {
  const [id] = UUID.exec(detailOf(error)) ?? []
  return id === undefined ? -1 : entries.findIndex(entry => entry.id === id)
}

/**
 * Whether a COPY met an event that is not new, or its row, whose id is the event's ("Key (id)=(…) already exists"); or a
 * row that refers to its event, which comes later where rows go first ("Key (topic, id)=(…) is not present").
 */
function isOfOrder(error: unknown, entries: readonly InboxEntry[]): boolean {
  return isOfEvent(error) || (KEYS.has(sqlState(error) ?? '') && findById(error, entries) !== -1)
}

/** The entry of a line of a COPY; of rows in their order, as they are where all leave the same columns out. */
function findLine(line: number | null, entries: readonly InboxEntry[]): number {
  if (line === null) return -1
  let lines = 0
  return entries.findIndex(({ rows }) => {
    lines += rows.length
    return lines >= line
  })
}
