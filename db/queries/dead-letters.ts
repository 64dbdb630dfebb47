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
  /** Its name, and the message of the newest. */
  readonly error: { readonly name: string; readonly message: string }
  readonly count: number
  /** How many of them are still dead. */
  readonly dead: number
  readonly firstAt: string
  readonly lastAt: string
  /** The newest. */
  readonly sampleId: string
}

/** Groups of dead letters, and whether all were counted. */
export interface DeadLetterGroups {
  readonly items: DeadLetterGroup[]
  readonly isComplete: boolean
}

/** Dead letters that are counted by reason: of more, the planner reads the whole table rather than an index. */
const MAX_GROUPED = 20_000

/** Conditions on a dead letter, by the name of their filter. */
const DEAD_LETTER_FILTERS = {
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

    /**
     * Counts dead letters that failed alike, most first, among the newest 20,000 by the time of their record: however many
     * there are, it takes no longer. Filters: `topic`, `stage`, `state`, `from`, `to`.
     */
    async groups({ stage, state, ...where }: Filters, limit: number): Promise<DeadLetterGroups> {
      const places = toConditions(where)
      const kept = toConditions({ stage, state }, places.parameters)
      const isKept = `true ${kept.conditions}`
      const [row] = await sql.unsafe(
        `WITH newest AS (
           SELECT id, topic, group_id, stage, disposition, error_name, state, created_at FROM dead_letters
           WHERE true ${places.conditions} ORDER BY "timestamp" DESC, id DESC LIMIT ${MAX_GROUPED + 1}),
         alike AS (
           SELECT topic, group_id, stage, disposition, error_name, count(*) AS seen,
             count(*) FILTER (WHERE ${isKept}) AS kept, count(*) FILTER (WHERE state = 'dead' AND ${isKept}) AS dead,
             min(created_at) FILTER (WHERE ${isKept}) AS first_at, max(created_at) FILTER (WHERE ${isKept}) AS last_at,
             max(id::text) FILTER (WHERE ${isKept}) AS sample_id
           FROM newest GROUP BY 1, 2, 3, 4, 5),
         most AS (
           SELECT alike.*, error_message FROM alike JOIN dead_letters AS sample ON sample.id = sample_id::uuid
           WHERE kept > 0 ORDER BY kept DESC, 1, 2, 3, 4, 5 LIMIT $${places.parameters.length + 1}::int)
         SELECT (SELECT coalesce(sum(seen), 0) FROM alike) <= ${MAX_GROUPED} AS "isComplete",
           (SELECT coalesce(json_agg(json_build_object('topic', topic, 'group', group_id, 'stage', stage,
             'disposition', disposition, 'error', json_build_object('name', error_name, 'message', error_message),
             'count', kept, 'dead', dead, 'firstAt', ${isoText('first_at')}, 'lastAt', ${isoText('last_at')},
             'sampleId', sample_id)), '[]')::text FROM most) AS items`,
        [...places.parameters, limit],
        { prepare: true }
      )
      return { items: JSON.parse(String(row?.items)), isComplete: row?.isComplete === true }
    }
  }
}

/** Gives filters as conditions behind `WHERE …`; their values become `parameters`. */
export function toConditions(filters: Filters, parameters: (string | number)[] = []) {
  const conditions = Object.entries(DEAD_LETTER_FILTERS).flatMap(([name, condition]) => {
    const value = filters[name]
    return value === undefined ? [] : [` AND ${condition.replace('?', `$${parameters.push(value)}`)}`]
  })
  return { conditions: conditions.join(''), parameters }
}
