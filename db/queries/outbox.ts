import type { Sql } from 'postgres'
import type { WriteTransaction } from '../writer.ts'

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
    /** Partitions that something waits for. */
    async pending(): Promise<{ topic: string; partition: number }[]> {
      const rows = await sql`SELECT DISTINCT topic, partition FROM outbox`
      return rows.map(row => ({ topic: String(row.topic), partition: Number(row.partition) }))
    },

    /** Takes or keeps the right to send a partition for `ms`; gives whether it was free. By the database's clock. */
    async claim(topic: string, partition: number, owner: string, ms: number): Promise<boolean> {
      const rows = await sql`
        INSERT INTO outbox_leases AS lease (topic, partition, owner, until)
        VALUES (${topic}, ${partition}, ${owner}, now() + ${`${ms} ms`}::interval)
        ON CONFLICT (topic, partition) DO UPDATE SET owner = excluded.owner, until = excluded.until
          WHERE lease.owner = excluded.owner OR lease.until < now()
        RETURNING 1`
      return rows.length === 1
    },

    /** Gives up every right to send. */
    async release(owner: string): Promise<void> {
      await sql`DELETE FROM outbox_leases WHERE owner = ${owner}`
    },

    /** The oldest events of a partition. */
    async read(topic: string, partition: number, limit: number): Promise<OutboxRow[]> {
      // The column with its table: `sequence` alone would be the text of the answer, where 10 comes before 9.
      const rows = await sql`
        SELECT sequence::text, encode(key, 'base64') AS key, encode(value, 'base64') AS value, headers::text,
          extract(epoch FROM timestamp) * 1000 AS at
        FROM outbox WHERE topic = ${topic} AND partition = ${partition} ORDER BY outbox.sequence LIMIT ${limit}`
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
      await sql`DELETE FROM outbox WHERE sequence = ANY (${`{${sequences.join(',')}}`}::text::bigint[])`
    }
  }
}

function toBytes(base64: unknown): Buffer | null {
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : null
}
