import type { Sql } from 'postgres'
import { createItemWriter, type ItemRow, json, plain, text, time, toColumns } from './item.ts'
import { createList, type Filters, isoText, type PageRequest, rangeOf } from './list.ts'

const base64 = (column: string) => plain(`translate(encode(${column}, 'base64'), E'\\n', '')`)

const ITEM = {
  id: plain('id'),
  eventId: plain('event_id'),
  topic: text('topic'),
  group: text('group_id'),
  partition: json('partition'),
  offset: plain('"offset"'),
  keyBase64: base64('key'),
  valueBase64: base64('value'),
  headers: json('headers'),
  timestamp: time('"timestamp"'),
  stage: text('stage'),
  disposition: text('disposition'),
  error: json(`json_build_object('name', error_name, 'message', error_message, 'stack', error_stack)`),
  attempts: json('attempts'),
  state: text('state'),
  createdAt: time('created_at'),
  resolvedAt: time('resolved_at')
}

/** A dead letter with its bytes in base64; null is a null key or a tombstone. */
export interface StoredDeadLetter {
  readonly id: string
  readonly eventId: string
  readonly topic: string
  readonly group: string
  readonly partition: number
  readonly offset: string
  readonly keyBase64: string | null
  readonly valueBase64: string | null
  readonly headers: readonly (readonly [name: string, base64: string | null])[]
  readonly timestamp: string
  readonly stage: string
  readonly disposition: string
  readonly error: { readonly name: string; readonly message: string; readonly stack: string | null }
  readonly attempts: number
  readonly state: string
  readonly createdAt: string
  readonly resolvedAt: string | null
}

/** Dead letters that have topic, group, stage, disposition and the name of their error in common. */
interface DeadLetterGroup {
  readonly topic: string
  readonly group: string
  readonly stage: string
  readonly disposition: string
  readonly error: string
  readonly count: number
  /** How many of them are still dead. */
  readonly dead: number
  readonly firstAt: string
  readonly lastAt: string
}

/** Conditions on a dead letter, by the name of their filter. */
export const DEAD_LETTER_FILTERS = {
  topic: 'topic = ?',
  stage: 'stage = ?',
  state: 'state = ?',
  disposition: 'disposition = ?',
  error: 'error_name = ?',
  ...rangeOf('"timestamp"')
}

/** Reads of `dead_letters`. */
export function createDeadLetterQueries(sql: Sql) {
  const write = createItemWriter(ITEM)
  const list = createList(sql, {
    table: 'dead_letters',
    time: '"timestamp"',
    item: ITEM,
    large: ['octet_length(key)', 'octet_length(value)', 'octet_length(headers::text)'],
    filters: DEAD_LETTER_FILTERS
  })

  return {
    /** Filters: `topic`, `stage`, `state`, `disposition`, `error` (its name), `from`, `to`. */
    async list(filters: Filters, page: PageRequest) {
      const { items, next } = await list(filters, page)
      return { items: JSON.parse(items) as StoredDeadLetter[], next }
    },

    async findById(id: string): Promise<StoredDeadLetter | undefined> {
      const text = `SELECT ${toColumns(ITEM)} FROM dead_letters WHERE id = $1::uuid`
      const [row] = await sql.unsafe<ItemRow[]>(text, [id], { prepare: true })
      return row && JSON.parse(write(row))
    },

    /** Reads the whole table: a number of dead letters that would make it slow wants an operator anyway. At most 500. */
    async groups({ topic, state }: { topic?: string | undefined; state?: string | undefined }) {
      const rows = await sql.unsafe(
        `SELECT topic, group_id AS "group", stage, disposition, error_name AS error, count(*)::int AS count,
          (count(*) FILTER (WHERE state = 'dead'))::int AS dead, ${isoText('min(created_at)')} AS "firstAt",
          ${isoText('max(created_at)')} AS "lastAt"
        FROM dead_letters WHERE ($1::text IS NULL OR topic = $1) AND ($2::text IS NULL OR state = $2)
        GROUP BY 1, 2, 3, 4, 5 ORDER BY count(*) DESC, 1, 2, 3, 4, 5 LIMIT 500`,
        [topic ?? null, state ?? null],
        { prepare: true }
      )
      return rows.map(row => ({ ...row }) as unknown as DeadLetterGroup)
    }
  }
}
