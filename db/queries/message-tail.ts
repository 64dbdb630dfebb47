import type { Sql } from 'postgres'
import { createItemWriter, type ItemRow, toColumns } from './item.ts'
import { type Place, toPlace } from './list.ts'
import { MESSAGE_ITEM } from './messages.ts'

/** A partition whose position moved, and when its last records were stamped before and after; null when there was none. */
export interface MovedPartition {
  readonly topic: string
  readonly partition: number
  /** Decimal strings; `high` is exclusive. */
  readonly low: string
  readonly high: string
  /** ISO 8601. */
  readonly after: string | null
  readonly until: string | null
}

/** A message with what streams are chosen by. */
export interface TailRow {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string | null
  /** In the list of messages. */
  readonly place: Place
  /** JSON. */
  readonly item: string
}

/** Messages of one key in one partition, of which some may not be among the rows. */
export interface KeyCount {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly count: number
}

export interface SinceRows {
  readonly rows: readonly TailRow[]
  /** What was found of each key, shown or not; empty without keys: positions have counters. */
  readonly counts: readonly KeyCount[]
  readonly cut: readonly string[]
}

/** Conditions on a message; undefined does not filter. */
export interface TailFilters {
  readonly topic?: string | undefined
  readonly key?: string | undefined
  readonly partition?: number | undefined
}

/** Messages of one partition that a look gives, and of one stream that comes again. */
const MAX_SHOWN = 50
/** Rows of a topic that a look reads, however much was settled since the last one. */
const MAX_READ = 5_000
const MAX_COUNTED = 10_000
/** Messages among which those of a key or a partition are looked for, when a stream comes again. */
const MAX_SEARCHED = 50_000
const MAX_BYTES = 4 * 1024 * 1024
/** Records of one partition are stamped in about the order of their offsets. */
const SLACK = `interval '2 seconds'`

const SIZE = 'octet_length(value::text) + octet_length(headers::text)'

// Messages are found by the time of their record, for no index knows when they were settled, and one more would cost every
// write. Their offsets say which of them are new. What another stamp hides is missing here; counters tell how many.
const toSized = (ofKey: string) => `
  WITH moved AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::text::json)
      AS moved(topic text, partition int, low bigint, high bigint, after timestamptz, until timestamptz)),
  span AS MATERIALIZED (
    SELECT topic, min(coalesce(after, '-infinity')) - ${SLACK} AS after, max(coalesce(until, 'infinity')) + ${SLACK} AS until
    FROM moved GROUP BY topic),
  newest AS (
    SELECT newest.* FROM span CROSS JOIN LATERAL (
      SELECT * FROM messages
      WHERE messages.topic = span.topic AND "timestamp" >= span.after AND "timestamp" <= span.until
      ORDER BY "timestamp" DESC, id DESC LIMIT ${MAX_READ}) AS newest),
  found AS (
    SELECT newest.*, row_number() OVER (PARTITION BY newest.topic, newest.partition${ofKey}
      ORDER BY newest."timestamp" DESC, newest.id DESC) AS nth
    FROM newest JOIN moved ON moved.topic = newest.topic AND moved.partition = newest.partition
      AND newest."offset" >= moved.low AND newest."offset" < moved.high
    WHERE $2::text IS NULL OR newest.key IN (SELECT json_array_elements_text($2::text::json))),
  sized AS (
    SELECT *, sum(${SIZE}) OVER (ORDER BY "timestamp" DESC, id DESC ROWS UNBOUNDED PRECEDING) AS bytes
    FROM found WHERE nth <= ${MAX_SHOWN})`

const SINCE = `${toSized('')}
  SELECT ${toColumns(MESSAGE_ITEM)} FROM sized WHERE bytes < ${MAX_BYTES} ORDER BY "timestamp", id`

// Those of a key have no counter: they are counted here. Each key has its own newest ones, and topics that were not read to
// the end are told. There is a row for each count, and one where there is none.
const SINCE_OF_KEYS = `${toSized(', newest.key')},
  cuts AS (
    SELECT coalesce(json_agg(topic), '[]')::text AS cut
    FROM (SELECT topic FROM newest GROUP BY topic HAVING count(*) = ${MAX_READ}) AS whole),
  counted AS (
    SELECT topic AS of_topic, partition AS of_partition, key AS of_key, count(*)::text AS of_count
    FROM found GROUP BY topic, partition, key)
  SELECT ${toColumns(MESSAGE_ITEM)}, cut, of_topic, of_partition::text, of_key, of_count
  FROM cuts LEFT JOIN counted ON true
    LEFT JOIN sized ON topic = of_topic AND partition = of_partition AND key = of_key AND bytes < ${MAX_BYTES}
  ORDER BY "timestamp", id`

// A key or a partition that is rare has no index: it is looked for in the newest messages alone, never in all of them. The
// topic has one, which a plan for any topic or none would not use.
function toAfter({ topic, key, partition }: TailFilters): string {
  const maxRead = key === undefined && partition === undefined ? MAX_COUNTED : MAX_SEARCHED
  return `
  WITH later AS MATERIALIZED (
    SELECT "timestamp", id, topic, ($4::text IS NULL OR key = $4) AND ($5::int IS NULL OR partition = $5) AS is_own
    FROM messages
    WHERE ("timestamp", id, topic) > ($1::text::timestamp AT TIME ZONE 'UTC', $2::text::uuid, $3::text)
      ${topic === undefined ? '' : 'AND topic = $6::text'}
    ORDER BY "timestamp" DESC, id DESC, topic DESC LIMIT ${maxRead}),
  counted AS (
    SELECT (count(*) FILTER (WHERE is_own))::text AS total, (count(*) < ${MAX_SEARCHED})::text AS "isWhole" FROM later),
  shown AS (SELECT id, topic FROM later WHERE is_own ORDER BY "timestamp" DESC, id DESC, topic DESC LIMIT ${MAX_SHOWN}),
  sized AS (
    SELECT messages.*, sum(${SIZE}) OVER (ORDER BY "timestamp" DESC, id DESC, topic DESC ROWS UNBOUNDED PRECEDING) AS bytes
    FROM shown JOIN messages USING (topic, id))
  SELECT ${toColumns(MESSAGE_ITEM)}, total, "isWhole" FROM counted LEFT JOIN sized ON bytes < ${MAX_BYTES}
  ORDER BY "timestamp", id, topic`
}

/** Reads of the newest messages, for streams of them. */
export function createMessageTail(sql: Sql) {
  const write = createItemWriter(MESSAGE_ITEM)

  function toRow(row: ItemRow): TailRow {
    const { topic, partition, offset, key } = row
    return {
      topic: String(topic),
      partition: Number(partition),
      offset: BigInt(String(offset)),
      key: key ?? null,
      place: toPlace({ topic: 'topic' }, row),
      item: write(row)
    }
  }

  return {
    /**
     * Gives the newest messages that were settled in some moves of positions, in the order of their records, 50 of a
     * partition at most; with `keys` those of the keys, 50 of each in a partition, and how many there are. `cut` has the
     * topics of which more was settled than was read, so that nobody knows that; it is empty without `keys`.
     */
    async since(moved: readonly MovedPartition[], keys: readonly string[] | null): Promise<SinceRows> {
      const parameters = [JSON.stringify(moved), keys && JSON.stringify(keys)]
      const rows = await sql.unsafe<ItemRow[]>(keys ? SINCE_OF_KEYS : SINCE, parameters, { prepare: true })
      return {
        rows: rows.filter(row => row.id !== null).map(toRow),
        counts: toCounts(rows),
        cut: JSON.parse(rows[0]?.cut ?? '[]')
      }
    },

    /**
     * Gives the newest 50 of the messages after a place in the list, in its order, and how many there are, up to 10,000.
     * Those of a key or a partition are looked for in the newest 50,000; null when there are more that were not looked at.
     */
    async after({ time, id, topic }: Place, filters: TailFilters): Promise<{ rows: TailRow[]; total: number | null }> {
      const parameters = [time, id, topic, filters.key ?? null, filters.partition ?? null]
      if (filters.topic !== undefined) parameters.push(filters.topic)
      const rows = await sql.unsafe<ItemRow[]>(toAfter(filters), parameters, { prepare: true })
      const [counted] = rows
      const total = counted?.isWhole === 'true' ? Number(counted.total) : null
      return { rows: rows.filter(row => row.id !== null).map(toRow), total }
    }
  }
}

function toCounts(rows: readonly ItemRow[]): KeyCount[] {
  const counts = new Map<string, KeyCount>()
  for (const { of_topic: topic, of_partition: partition, of_key: key, of_count: count } of rows) {
    if (topic == null || key == null) continue
    counts.set(`${topic}/${partition}/${key}`, { topic, partition: Number(partition), key, count: Number(count) })
  }
  return [...counts.values()]
}
