import type { WriteTransaction } from '../write-transaction.ts'
import { isDeadLetterOf } from './dead-letter-of.ts'
import type { RowWriter, WrittenRow } from './row-writer.ts'
import { toArray } from './to-array.ts'

/** An event for the inbox, with the rows of the function's table that come with it. */
export interface InboxEntry {
  readonly id: string
  readonly partition: number
  /** Decimal string. */
  readonly offset: string
  readonly key: string | null
  /** JSON text, as it was sent. */
  readonly value: string
  /** JSON text. */
  readonly headers: string
  readonly timestampMs: number
  /** As the row writer made them; empty without a table. */
  readonly rows: readonly WrittenRow[]
}

export interface InboxResult {
  /** Ids of the entries that were new, or null when all of them were. */
  readonly newIds: ReadonlySet<string> | null
  /** Rows written into the function's table. */
  readonly rowCount: number
}

const RECORD = 'record(id uuid, partition int, "offset" bigint, key text, value json, headers json, at timestamptz)'

// An event with a dead letter is not new: only its redrive settles it. A scalar subquery is looked up record by record;
// of NOT EXISTS the planner makes a join that reads every dead letter of the group.
const WITHOUT_DEAD = `WHERE coalesce((SELECT false FROM dead_letters AS dead WHERE ${isDeadLetterOf('record.id')}), true)`

// What is new is decided here and nowhere else.
const toInbox = (condition: string) => `
  record AS (SELECT * FROM json_to_recordset($3::text::json) AS ${RECORD}),
  inbox AS (
    INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
    SELECT $2, id, partition, "offset", key, value, headers, at FROM record
    ${condition}
    ON CONFLICT (topic, id) DO NOTHING
    RETURNING id)`

const INBOX = toInbox(WITHOUT_DEAD)
// The group is a parameter of both, and PostgreSQL wants to know the type of one that nothing uses.
const REDRIVE_INBOX = toInbox('WHERE $1::text IS NOT NULL')

const RESULT = `(SELECT count(*)::int FROM inbox) AS events,
  (SELECT CASE WHEN count(*) <> $4::int THEN json_agg(id)::text END FROM inbox) AS ids`

/**
 * Writes events into the inbox, and for those that are new there their rows: one statement, all or nothing.
 * The ids of `entries` differ from one another.
 *
 * @param target.isRedrive the events have dead letters, and are written all the same
 * @param writer of the function's table; null without one
 * @throws PostgreSQL's errors: a row that breaks a rule of its table takes the whole statement with it
 */
export async function writeInbox(
  tx: WriteTransaction,
  { groupId, topic, isRedrive = false }: { groupId: string; topic: string; isRedrive?: boolean },
  entries: readonly InboxEntry[],
  writer: RowWriter | null
): Promise<InboxResult> {
  const records = `[${entries.map(toRecord).join(',')}]`
  const parameters: (string | number)[] = [groupId, topic, records, entries.length]
  const inserts: string[] = []

  // One INSERT for each set of columns that are left to their defaults; nearly always there is one.
  for (const [omitted, rows] of groupByOmitted(entries)) {
    parameters.push(`[${rows.map(row => writer?.toJson(row)).join(',')}]`)
    inserts.push(`written${inserts.length} AS (${writer?.insertFrom(omitted, 'inbox', `$${parameters.length}`)})`)
  }
  const written = inserts.map((_, index) => `(SELECT count(*)::int FROM written${index})`).join(' + ') || '0'
  const [result] = await tx.query(
    `WITH ${[isRedrive ? REDRIVE_INBOX : INBOX, ...inserts].join(', ')} SELECT ${RESULT}, ${written} AS rows`,
    parameters
  )

  const { ids, events, rows: rowCount } = result as { ids: string | null; events: number; rows: number }
  const isAll = events === entries.length
  return { newIds: isAll ? null : new Set(ids === null ? [] : (JSON.parse(ids) as string[])), rowCount }
}

/** The rows of some entries, by the columns that they leave to their defaults. */
export function groupByOmitted(entries: readonly InboxEntry[]): Map<string, WrittenRow[]> {
  const groups = new Map<string, WrittenRow[]>()
  for (const { rows } of entries) {
    for (const row of rows) {
      const group = groups.get(row.omitted)
      if (group) group.push(row)
      else groups.set(row.omitted, [row])
    }
  }
  return groups
}

// By hand, because the value is JSON already: parsing it only to write it again would double the cost of a record.
function toRecord({ id, partition, offset, key, value, headers, timestampMs }: InboxEntry): string {
  const quotedKey = key === null ? 'null' : JSON.stringify(key)
  // As text: in a double of seconds, times far from now lose their milliseconds.
  const at = new Date(timestampMs).toISOString()
  return `{"id":"${id}","partition":${partition},"offset":${offset},"key":${quotedKey},"value":${value},"headers":${headers},"at":"${at}"}`
}

/** What is known of an event that the inbox refused. */
export interface Settled {
  readonly id: string
  /** Key and value (JSON text) in the inbox; null when the event has a dead letter instead. */
  readonly message: { readonly key: string | null; readonly value: string } | null
  /** Key and value of its dead letter, in whatever state; null when it has none. */
  readonly letter: { readonly key: Buffer | null; readonly value: Buffer | null } | null
}

/** Gives, of some event ids, those that are settled already or have a dead letter of the group. */
export async function findSettled(
  tx: WriteTransaction,
  { groupId, topic }: { groupId: string; topic: string },
  ids: readonly string[]
): Promise<Map<string, Settled>> {
  const rows = await tx.query(
    // Id by id: for a list of them the planner may read the whole topic.
    `SELECT known.* FROM unnest($3::text::uuid[]) AS given(id) CROSS JOIN LATERAL (
       (SELECT id, true AS is_message, key, value::text FROM messages
        WHERE messages.topic = $2 AND messages.id = given.id LIMIT 1)
       UNION ALL
       (SELECT event_id, false, encode(key, 'base64'), encode(value, 'base64') FROM dead_letters AS dead
        WHERE ${isDeadLetterOf('given.id')} LIMIT 1)) AS known`,
    [groupId, topic, toArray(ids)]
  )
  const settled = new Map<string, Settled>()
  for (const row of rows) {
    const id = String(row.id)
    // A resolved dead letter has both.
    const { message, letter } = settled.get(id) ?? { message: null, letter: null }
    if (row.is_message)
      settled.set(id, { id, message: { key: row.key as string | null, value: String(row.value) }, letter })
    else settled.set(id, { id, message, letter: { key: toBytes(row.key), value: toBytes(row.value) } })
  }
  return settled
}

function toBytes(base64: unknown): Buffer | null {
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : null
}
