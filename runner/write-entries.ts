import { databaseFault } from '../db/database-fault.ts'
import { type InboxEntry, writeInbox } from '../db/queries/inbox.ts'
import type { WriteTransaction } from '../db/writer.ts'
import { runnerErrors } from './errors.ts'
import type { WriteDependencies } from './settled.ts'

interface EntryOptions {
  readonly isCareful: boolean
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
 * @param options.isCareful works behind savepoints and halves what PostgreSQL refuses, from the first to the last, until
 * the one that it refuses stands alone: at most 2·⌈log2 n⌉ + 1 further statements for each of them. Without it the first
 * refusal is thrown.
 * @param options.holdsKeys leaves out what follows a refused one of its key
 * @param options.isRedrive writes events that have a dead letter
 */
export async function writeEntries(
  tx: WriteTransaction,
  entries: readonly InboxEntry[],
  { isCareful, holdsKeys = false, isRedrive = false }: EntryOptions,
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

  async function bisect(given: readonly InboxEntry[]): Promise<void> {
    const part = given.filter(entry => !isHeld(entry))
    held.push(...given.filter(isHeld))
    if (part.length === 0) return
    try {
      await tx.savepoint(() => write(part))
    } catch (error) {
      if (databaseFault(error) !== 'record') throw error
      const [only] = part
      if (part.length > 1 || !only) return halve(part)
      refused.push({ entry: only, error })
      if (holdsKeys && only.key !== null) heldKeys.add(only.key)
    }
  }

  async function halve(part: readonly InboxEntry[]) {
    const middle = part.length >> 1
    await bisect(part.slice(0, middle))
    await bisect(part.slice(middle))
  }

  function isHeld({ key }: InboxEntry): boolean {
    return key !== null && heldKeys.has(key)
  }

  if (entries.length === 0) return { written, refused, held }
  if (!isCareful) await write(entries)
  // The whole was refused already, by the transaction before this one.
  else if (entries.length > 1) await halve(entries)
  else await bisect(entries)
  return { written, refused, held }
}
