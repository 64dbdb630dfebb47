import type { Sql } from 'postgres'
import { createItemWriter, type Item, type ItemRow, toColumns } from './item.ts'

/** Items of the longest page. */
const MAX_LIMIT = 500
// A page ends early where its values would not fit into the memory of a small process.
const MAX_PAGE_BYTES = 8 * 1024 * 1024

/** The last item of a page: its time as PostgreSQL writes it, microseconds kept, its id, and its topic where ids may repeat. */
export interface Place {
  readonly time: string
  readonly id: string
  readonly topic: string
}

/** One page of a list, newest first. */
export interface Page {
  /** A JSON array. */
  readonly items: string
  /** Null at the end of the list. */
  readonly next: Place | null
}

export interface PageRequest {
  /** 1 to 500. A page of large values may have less, never none. */
  readonly limit: number
  /** Null for the newest. */
  readonly after: Place | null
}

/** Values of filters by name; undefined does not filter. Times are ISO 8601, `from` inclusive and `to` exclusive. */
export type Filters = Readonly<Record<string, string | number | undefined>>

/** What a list is made of. Every text is SQL of ours: values of clients only become parameters. */
export interface ListSource {
  readonly table: string
  /** The column that orders the list, newest first. */
  readonly time: string
  /** The column that parts rows of equal time and id, where there may be some. */
  readonly topic?: string
  /** The member that gives `time`; default `timestamp`. */
  readonly timeMember?: string
  /** Its members `id`, the one of the time and, where there is one, `topic` are the row's place in the list. */
  readonly item: Item
  /** The bytes of each column that may be large, as SQL. */
  readonly large: readonly string[]
  /** Conditions by the name of their filter; `?` stands for its value. */
  readonly filters: Readonly<Record<string, string>>
}

/**
 * Builds a query of pages by keyset. Rows that arrive between two pages neither move nor repeat what follows: a page
 * begins after the last item of the one before, wherever that is by now.
 */
export function createList(sql: Sql, source: ListSource) {
  const write = createItemWriter(source.item)

  return async function list(filters: Filters, { limit, after }: PageRequest): Promise<Page> {
    const parameters: (string | number)[] = []
    const bind = (value: string | number) => `$${parameters.push(value)}`
    const text = toText(source, filters, { limit, after, bind })
    const rows: readonly SizedRow[] = await sql.unsafe<SizedRow[]>(text, parameters, { prepare: true })

    const kept = rows.slice(0, countFitting(rows, limit))
    const last = kept.at(-1)
    return {
      items: `[${kept.map(write).join(', ')}]`,
      next: last && rows.length > kept.length ? toPlace(source, last) : null
    }
  }
}

type SizedRow = ItemRow & { readonly bytes: number }

/** How many rows a page has: it ends with the one that fills it. */
function countFitting(rows: readonly SizedRow[], limit: number): number {
  let total = 0
  let count = 0
  for (; count < rows.length && count < limit && total < MAX_PAGE_BYTES; count += 1) total += rows[count]?.bytes ?? 0
  return count
}

/** The place of a row in its list. */
export function toPlace(
  { topic, timeMember = 'timestamp' }: Pick<ListSource, 'topic' | 'timeMember'>,
  row: ItemRow
): Place {
  return { time: JSON.parse(row[timeMember] ?? '""'), id: row.id ?? '', topic: (topic && row.topic) ?? '' }
}

interface Binding extends PageRequest {
  bind(value: string | number): string
}

function toText(source: ListSource, filters: Filters, { limit, after, bind }: Binding): string {
  const { table, time, topic, item } = source
  const keys = topic ? [time, 'id', topic] : [time, 'id']
  // The indexes go up, and are read backwards: what is new comes to their end, where an insert costs least.
  const order = keys.map(key => `${key} DESC`).join(', ')
  const conditions = Object.entries(source.filters).flatMap(([name, condition]) => {
    const value = filters[name]
    return value === undefined ? [] : [condition.replace('?', bind(value))]
  })
  if (after) {
    const place = [`${bind(after.time)}::text::timestamp AT TIME ZONE 'UTC'`, `${bind(after.id)}::uuid`]
    if (topic) place.push(`${bind(after.topic)}::text`)
    conditions.push(`(${keys.join(', ')}) < (${place.join(', ')})`)
  }
  // A limit that is a parameter alone has PostgreSQL plan every page anew, which takes longer than to read it: it fears
  // that the plan for all limits reads a tenth of the table. One row more than the page may have tells of the next.
  // No order is asked for again: what is above the first limit keeps it.
  // The members of a row are made where it is certain that the page has it: those of large values take long.
  const bytes = source.large.map(size => `coalesce(${size}, 0)`).join(' + ')
  return `
    WITH newest AS (
      SELECT * FROM ${table} ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
      ORDER BY ${order} LIMIT ${MAX_LIMIT + 1}),
    page AS (
      SELECT *, ${bytes} AS page_bytes FROM newest LIMIT ${bind(limit)}::int + 1),
    sized AS (
      SELECT *, sum(page_bytes) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS page_before FROM page)
    SELECT ${toColumns(item)}, page_bytes AS bytes FROM sized WHERE coalesce(page_before, 0) < ${MAX_PAGE_BYTES}`
}

/** A time as ISO 8601 in UTC: milliseconds, and microseconds where there are some. */
export function isoText(column: string): string {
  return `regexp_replace(to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '000Z$', 'Z')`
}

/** The conditions of a range of time. */
export function rangeOf(column: string) {
  return { from: `${column} >= ?::text::timestamptz`, to: `${column} < ?::text::timestamptz` }
}
