import { isRefusedAsJson, toCopyText } from '../copy-in.ts'
import type { WriteTransaction } from '../write-transaction.ts'
import { isDeadLetterOf } from './dead-letter-of.ts'
import { groupByOmitted, type InboxEntry } from './inbox.ts'
import type { RowWriter } from './row-writer.ts'
import { toArray } from './to-array.ts'

/** A copy costs some round trips: so many entries make it worth them. */
export const LEAST_COPIED = 100
/** Sets of columns that are left to their defaults: each has a COPY of its own. */
const MOST_GROUPS = 4

interface Copy {
  readonly text: string
  readonly lines: string
}

/**
 * Writes events and their rows by COPY, for half of what the INSERT of `writeInbox` costs PostgreSQL. It has no
 * ON CONFLICT: an event that is settled already, or in another transaction at this moment, is a refusal.
 *
 * @param entries none that has a dead letter (`findDeadEvents`)
 * @param options.first what is written first: of the events 23505 tells of one that is not new; of the rows a refusal, which
 * they are the likelier to meet, costs less
 * @returns how many events and rows were written; null, with nothing done, when COPY is not for these: there are few of them, or a
 * value is among them that COPY cannot take, or takes where an INSERT does not
 * @throws PostgreSQL's errors: 23505 for an event that is not new, and what a row does that breaks a rule of its table
 */
export async function copyInbox(
  tx: WriteTransaction,
  topic: string,
  entries: readonly InboxEntry[],
  writer: RowWriter | null,
  { first = 'events' }: { first?: 'events' | 'rows' } = {}
): Promise<{ eventCount: number; rowCount: number } | null> {
  if (entries.length < LEAST_COPIED) return null
  const rows = toCopies(entries, writer)
  const events = rows && toLines(topic, entries)
  if (!rows || events === null) return null

  const copyEvents = () => tx.copy(INBOX, events)
  let [eventCount, rowCount] = [0, 0]
  if (first === 'events') eventCount = await copyEvents()
  for (const { text, lines } of rows) rowCount += await tx.copy(text, lines)
  if (first === 'rows') eventCount = await copyEvents()
  return { eventCount, rowCount }
}

const INBOX = 'COPY messages (topic, id, partition, "offset", key, value, headers, timestamp) FROM STDIN'

function toLines(topic: string, entries: readonly InboxEntry[]): string | null {
  let lines = ''
  let [ms, time] = [Number.NaN, '']
  for (const { id, partition, offset, key, value, headers, timestampMs } of entries) {
    // Many come in one millisecond.
    if (timestampMs !== ms) [ms, time] = [timestampMs, new Date(timestampMs).toISOString()]
    const copiedHeaders = toCopyText(headers)
    // Of a name: their texts hold no such character, and no value of an event does.
    if (isRefusedAsJson(headers, copiedHeaders)) return null
    const texts = `${toCopyText(key)}\t${toCopyText(value)}\t${copiedHeaders}`
    lines += `${topic}\t${id}\t${partition}\t${offset}\t${texts}\t${time}\n`
  }
  return lines
}

function toCopies(entries: readonly InboxEntry[], writer: RowWriter | null): Copy[] | null {
  if (!writer) return []
  const copies: Copy[] = []
  for (const [omitted, rows] of groupByOmitted(entries)) {
    const lines = rows.map(writer.toLine)
    if (copies.length === MOST_GROUPS || lines.includes(null)) return null
    copies.push({ text: writer.copyFrom(omitted), lines: lines.join('') })
  }
  return copies
}

/** Gives, of some event ids, those that have a dead letter of the group: only its redrive settles them. */
export async function findDeadEvents(
  tx: WriteTransaction,
  { groupId, topic }: { groupId: string; topic: string },
  ids: readonly string[]
): Promise<ReadonlySet<string>> {
  // Nearly always there is none in the whole topic. By the newest one, which the index by topic knows at once.
  const [newest] = await tx.query('SELECT max("timestamp") IS NOT NULL AS any FROM dead_letters WHERE topic = $1', [
    topic
  ])
  if (!newest?.any) return NONE
  const found = await tx.query(
    `SELECT given.id FROM unnest($3::text::uuid[]) AS given(id) CROSS JOIN LATERAL (
       SELECT FROM dead_letters AS dead WHERE ${isDeadLetterOf('given.id')} LIMIT 1) AS letter`,
    [groupId, topic, toArray(ids)]
  )
  return new Set(found.map(({ id }) => String(id)))
}

const NONE: ReadonlySet<string> = new Set()
