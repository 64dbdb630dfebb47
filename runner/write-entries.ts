import { databaseFault, detailOf } from '../db/database-fault.ts'
import { type InboxEntry, writeInbox } from '../db/queries/inbox.ts'
import type { WriteTransaction } from '../db/writer.ts'
import { runnerErrors } from './errors.ts'
import type { WriteDependencies } from './settled.ts'

/**
 * `none`: the first refusal is thrown. `again`: the whole was refused before, and is written in parts behind savepoints.
 * `ready`: refusals are expected, because there were some lately, and the parts are smaller.
 */
export type Care = 'none' | 'again' | 'ready'

// A refusal costs what its part had written. More parts cost round trips, and `again` must keep to its number of them.
const PARTS = { none: 1, again: 4, ready: 8 } as const
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/

interface EntryOptions {
  readonly care: Care
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

/**
 * Writes events with their rows.
 *
 * @param options.care with any, a part that PostgreSQL refuses is cut at the row that it names, or else halved, from the
 * first to the last, until the event that it refuses stands alone: at most 2·⌈log2 n⌉ + 1 further statements for each
 * @param options.holdsKeys leaves out what follows a refused one of its key
 * @param options.isRedrive writes events that have a dead letter
 */
export async function writeEntries(
  tx: WriteTransaction,
  entries: readonly InboxEntry[],
  { care, holdsKeys = false, isRedrive = false }: EntryOptions,
  { groupId, topic, rowWriter }: Pick<WriteDependencies, 'groupId' | 'topic' | 'rowWriter'>
): Promise<Written> {
  const written = new Set<string>()
  const refused: { entry: InboxEntry; error: unknown }[] = []
  const held: InboxEntry[] = []
  const heldKeys = new Set<string>()

  async function write(part: readonly InboxEntry[]) {
    const { newIds, rowCount } = await writeInbox(tx, { groupId, topic, isRedrive }, part, rowWriter)
    const fresh = newIds === null ? part : part.filter(entry => newIds.has(entry.id))
    const expected = fresh.reduce((sum, entry) => sum + entry.rows.length, 0)
    if (rowCount !== expected) throw new runnerErrors.SMG_RUNNER_ROWS_LOST(rowCount, expected)
    for (const { id } of fresh) written.add(id)
  }

  async function isolate(given: readonly InboxEntry[], isNamed = false): Promise<void> {
    const part = given.filter(entry => !isHeld(entry))
    held.push(...given.filter(isHeld))
    if (part.length === 0) return
    try {
      await tx.savepoint(() => write(part))
    } catch (error) {
      if (databaseFault(error) !== 'record') throw error
      const [only] = part
      if (part.length > 1 || !only) return divide(part, isNamed ? -1 : findNamed(error, part))
      refused.push({ entry: only, error })
      if (holdsKeys && only.key !== null) heldKeys.add(only.key)
    }
  }

  async function divide(part: readonly InboxEntry[], named: number) {
    // Once only: what PostgreSQL says of a row may hold the id of another one.
    if (named !== -1) for (const piece of cut(part, named)) await isolate(piece, true)
    else for (const half of split(part, 2)) await isolate(half)
  }

  function isHeld({ key }: InboxEntry): boolean {
    return key !== null && heldKeys.has(key)
  }

  if (entries.length === 0) return { written, refused, held }
  if (care === 'none') await write(entries)
  else for (const part of split(entries, PARTS[care])) await isolate(part)
  return { written, refused, held }
}

/** Parts of about one size, in order; none of them empty. */
function split(entries: readonly InboxEntry[], parts: number): InboxEntry[][] {
  const size = Math.ceil(entries.length / parts)
  return Array.from({ length: Math.ceil(entries.length / size) }, (_, index) =>
    entries.slice(index * size, (index + 1) * size)
  )
}

/** What comes before an entry, it alone, and what comes after it. */
function cut(entries: readonly InboxEntry[], at: number): InboxEntry[][] {
  return [entries.slice(0, at), entries.slice(at, at + 1), entries.slice(at + 1)].filter(({ length }) => length > 0)
}

/** The entry whose row PostgreSQL names in its refusal ("Failing row contains (…"); -1 when it names none. */
function findNamed(error: unknown, entries: readonly InboxEntry[]): number {
  const [id] = UUID.exec(detailOf(error)) ?? []
  return id === undefined ? -1 : entries.findIndex(entry => entry.id === id)
}
