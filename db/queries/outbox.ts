import type { Sql } from 'postgres'
import type { WriteTransaction } from '../write-transaction.ts'
import { toArray } from './to-array.ts'

/** An event that leaves with a transaction; bytes as base64. */
export interface OutboxEntry {
  readonly topic: string
  readonly partition: number
  readonly eventId: string
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, base64: string | null])[]
  /** ISO 8601. */
  readonly timestamp: string
}

/** An event of the outbox on its way to Kafka. */
export interface OutboxRow {
  /** Decimal string. */
  readonly sequence: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, base64: string | null])[]
  readonly timestampMs: number
}

/** The state of the outbox; `oldestSeconds` is the age of what waits longest, 0 when nothing does. */
export interface Backlog {
  readonly waiting: number
  readonly oldestSeconds: number
  readonly refused: number
}

/** Puts events into the outbox, in their order. */
export async function insertOutbox(tx: WriteTransaction, entries: readonly OutboxEntry[]): Promise<void> {
  if (entries.length === 0) return
  await tx.query(
    `INSERT INTO outbox (topic, partition, event_id, key, value, headers, timestamp)
     SELECT topic, partition, "eventId", decode(key, 'base64'), decode(value, 'base64'), headers, timestamp
     FROM ROWS FROM (json_to_recordset($1::text::json) AS (topic text, partition int, "eventId" uuid, key text,
       value text, headers json, timestamp timestamptz)) WITH ORDINALITY
     ORDER BY ordinality`,
    [JSON.stringify(entries)]
  )
}

/** Builds what the relay asks of the outbox. Each is a transaction of its own: none is open while it sends. */
export function createOutboxQueries(sql: Sql) {
  return {
    /** Partitions that something waits for. Looks each up in the index: a long backlog does not make it slow. */
    async pending(): Promise<{ topic: string; partition: number }[]> {
      const rows = await sql`
        WITH RECURSIVE place AS (
          (SELECT topic, partition FROM outbox WHERE refused_at IS NULL ORDER BY topic, partition LIMIT 1)
          UNION ALL
          SELECT next.topic, next.partition FROM place CROSS JOIN LATERAL (
            SELECT topic, partition FROM outbox
            WHERE refused_at IS NULL AND (outbox.topic, outbox.partition) > (place.topic, place.partition)
            ORDER BY topic, partition LIMIT 1) AS next)
        SELECT topic, partition FROM place`
      return rows.map(row => ({ topic: String(row.topic), partition: Number(row.partition) }))
    },

    /**
     * Takes or keeps the right to send a partition for `ms`; gives whether it was free. By the database's clock: a right
     * that lasts longer than one can was given while that clock was ahead, and is nobody's.
     */
    async claim(topic: string, partition: number, owner: string, ms: number): Promise<boolean> {
      const rows = await sql`
        INSERT INTO outbox_leases AS lease (topic, partition, owner, until)
        VALUES (${topic}, ${partition}, ${owner}, now() + ${`${ms} ms`}::interval)
        ON CONFLICT (topic, partition) DO UPDATE SET owner = excluded.owner, until = excluded.until
          WHERE lease.owner = excluded.owner OR lease.until < now() OR lease.until > now() + ${`${2 * ms} ms`}::interval
        RETURNING 1`
      return rows.length === 1
    },

    /** Gives up every right to send. */
    async release(owner: string): Promise<void> {
      await sql`DELETE FROM outbox_leases WHERE owner = ${owner}`
    },

    /** The oldest events of a partition, without those that were refused: one at least, then up to `maxBytes`. */
    async read(
      topic: string,
      partition: number,
      { limit, maxBytes }: { limit: number; maxBytes: number }
    ): Promise<OutboxRow[]> {
      // The column with its table: `sequence` alone would be the text of the answer, where 10 comes before 9.
      const rows = await sql`
        SELECT oldest.sequence::text, encode(key, 'base64') AS key, encode(value, 'base64') AS value, headers::text,
          extract(epoch FROM timestamp) * 1000 AS at
        FROM (
          SELECT *, sum(coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) + octet_length(headers::text))
            OVER (ORDER BY outbox.sequence) AS bytes, row_number() OVER (ORDER BY outbox.sequence) AS place
          FROM outbox WHERE topic = ${topic} AND partition = ${partition} AND refused_at IS NULL
          ORDER BY outbox.sequence LIMIT ${limit}) AS oldest
        WHERE place = 1 OR bytes <= ${maxBytes} ORDER BY oldest.sequence`
      return rows.map(row => ({
        sequence: String(row.sequence),
        key: toBytes(row.key),
        value: toBytes(row.value),
        headers: JSON.parse(String(row.headers)),
        timestampMs: Math.round(Number(row.at))
      }))
    },

    /** Removes events that Kafka has. */
    async remove(sequences: readonly string[]): Promise<void> {
      await sql`DELETE FROM outbox WHERE sequence = ANY (${toArray(sequences)}::text::bigint[])`
    },

    /** Sets an event aside that Kafka will never take as it is; gives whether it was not aside already. */
    async refuse(sequence: string, refusal: string): Promise<boolean> {
      const rows = await sql`
        UPDATE outbox SET refused_at = now(), refusal = ${refusal}
        WHERE sequence = ${sequence}::text::bigint AND refused_at IS NULL RETURNING 1`
      return rows.length === 1
    },

    backlog: () => readBacklog(sql)
  }
}

/** What waits, and what was set aside, over all topics. Reads the whole table: not for every turn. */
export async function readBacklog(sql: Sql): Promise<Backlog> {
  const [row] = await sql`
    SELECT count(*) FILTER (WHERE refused_at IS NULL)::int AS waiting, count(refused_at)::int AS refused,
      extract(epoch FROM now() - min(created_at) FILTER (WHERE refused_at IS NULL)) AS oldest
    FROM outbox`
  return { waiting: Number(row?.waiting), refused: Number(row?.refused), oldestSeconds: Number(row?.oldest ?? 0) }
}

function toBytes(base64: unknown): Buffer | null {
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : null
}
