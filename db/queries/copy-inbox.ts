import { toTime } from '../../sdk/record.ts'
import { toCopyText } from '../copy-in.ts'
import type { WriteTransaction } from '../write-transaction.ts'
import { isDeadLetterOf } from './dead-letter-of.ts'
import { groupByOmitted, type InboxEntry } from './inbox.ts'
import type { RowWriter } from './row-writer.ts'
import { toArray } from './to-array.ts'

/** A copy costs some round trips: so many entries make it worth them. */
const LEAST = 100
/** Sets of columns that are left to their defaults: each has a COPY of its own. */
const MOST_GROUPS = 4

interface Copy {
  readonly text: string
  readonly lines: string
  readonly count: number
}

/** What a copy wrote: rows of the function's table. */
interface CopyResult {
  readonly rowCount: number
}

/**
 * Writes events and their rows by COPY, for half of what the INSERT of `writeInbox` costs PostgreSQL. It has no
 * ON CONFLICT: an event that is settled already, or in another transaction at this moment, is a refusal.
 *
 * @returns null, with nothing done, when COPY is not for these: there are few of them, a row has a value that COPY cannot
 * take, or one of the events has a dead letter and is not new
 * @throws PostgreSQL's errors: 23505 for an event that is not new, and what a row does that breaks a rule of its table
 */
export async function copyInbox(
  tx: WriteTransaction,
  { groupId, topic }: { groupId: string; topic: string },
  entries: readonly InboxEntry[],
  writer: RowWriter | null
): Promise<CopyResult | null> {
  if (entries.length < LEAST) return null
  const copies = toCopies(entries, writer)
  if (!copies || (await haveDeadLetter(tx, groupId, topic, entries))) return null

  const written = await tx.copy(INBOX, entries.map(entry => toLine(topic, entry)).join(''))
  if (written !== entries.length) return { rowCount: Number.NaN }
  let rowCount = 0
  for (const { text, lines } of copies) rowCount += await tx.copy(text, lines)
  return { rowCount }
}

const INBOX = 'COPY messages (topic, id, partition, "offset", key, value, headers, timestamp) FROM STDIN'

function toLine(topic: string, { id, partition, offset, key, value, headers, timestampMs }: InboxEntry): string {
  const texts = `${toCopyText(key)}\t${toCopyText(value)}\t${toCopyText(headers)}`
  return `${topic}\t${id}\t${partition}\t${offset}\t${texts}\t${toTime(timestampMs)}\n`
}

function toCopies(entries: readonly InboxEntry[], writer: RowWriter | null): Copy[] | null {
  if (!writer) return []
  const copies: Copy[] = []
  for (const [omitted, rows] of groupByOmitted(entries)) {
    const lines = rows.map(writer.toLine)
    if (copies.length === MOST_GROUPS || lines.includes(null)) return null
    copies.push({ text: writer.copyFrom(omitted), lines: lines.join(''), count: rows.length })
  }
  return copies
}

async function haveDeadLetter(
  tx: WriteTransaction,
  groupId: string,
  topic: string,
  entries: readonly InboxEntry[]
): Promise<boolean> {
  // Nearly always there is none in the whole topic. By the newest one, which the index by topic knows at once.
  const [any] = await tx.query('SELECT max("timestamp") IS NOT NULL AS any FROM dead_letters WHERE topic = $1', [topic])
  if (!any?.any) return false
  const [found] = await tx.query(
    `SELECT count(*)::int AS count FROM unnest($3::text::uuid[]) AS given(id) CROSS JOIN LATERAL (
       SELECT FROM dead_letters AS dead WHERE ${isDeadLetterOf('given.id')} LIMIT 1) AS letter`,
    [groupId, topic, toArray(entries.map(({ id }) => id))]
  )
  return Number(found?.count) > 0
}
