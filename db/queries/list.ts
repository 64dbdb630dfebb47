import type { Sql } from 'postgres'

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
  /** A JSON array, built by PostgreSQL: parsing it here and writing it again costs more than the query. */
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
  /** A JSON value of a row. */
  readonly item: string
  /** The bytes of what may be large in a row. */
  readonly bytes: string
  /** Conditions by the name of their filter; `?` stands for its value. */
  readonly filters: Readonly<Record<string, string>>
}

/**
 * Builds a query of pages by keyset. Rows that arrive between two pages neither move nor repeat what follows: a page
 * begins after the last item of the one before, wherever that is by now.
 */
export function createList(sql: Sql, source: ListSource) {
  return async function list(filters: Filters, { limit, after }: PageRequest): Promise<Page> {
    const parameters: (string | number)[] = []
    const bind = (value: string | number) => `$${parameters.push(value)}`
    const [row] = await sql.unsafe(toText(source, filters, { limit, after, bind }), parameters, { prepare: true })

    if (!row) return { items: '[]', next: null }
    const { items, found, kept, time, id, topic } = row
    return { items, next: Number(found) > Number(kept) ? { time, id, topic } : null }
  }
}

interface Binding extends PageRequest {
  bind(value: string | number): string
}

function toText(source: ListSource, filters: Filters, { limit, after, bind }: Binding): string {
  const { table, time, topic, item, bytes } = source
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
  return `
    WITH newest AS (
      SELECT * FROM ${table} ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
      ORDER BY ${order} LIMIT ${bind(limit)}::int + 1),
    numbered AS (
      SELECT *, row_number() OVER (ORDER BY ${order}) AS place FROM newest),
    sized AS (
      SELECT *, place <= ${bind(limit)}::int AND coalesce(sum(${bytes}) OVER (
        ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) < ${MAX_PAGE_BYTES} AS fits
      FROM numbered)
    SELECT coalesce(json_agg(${item} ORDER BY place) FILTER (WHERE fits), '[]')::text AS items,
      count(*)::int AS found, (count(*) FILTER (WHERE fits))::int AS kept,
      (array_agg(to_json(${time} AT TIME ZONE 'UTC') #>> '{}' ORDER BY place DESC) FILTER (WHERE fits))[1] AS time,
      (array_agg(id::text ORDER BY place DESC) FILTER (WHERE fits))[1] AS id,
      ${topic ? `(array_agg(${topic} ORDER BY place DESC) FILTER (WHERE fits))[1]` : "''"} AS topic
    FROM sized`
}

/** A time as ISO 8601 in UTC: milliseconds, and microseconds where there are some. */
export function isoText(column: string): string {
  return `regexp_replace(to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '000Z$', 'Z')`
}

/** The conditions of a range of time. */
export function rangeOf(column: string) {
  return { from: `${column} >= ?::text::timestamptz`, to: `${column} < ?::text::timestamptz` }
}
