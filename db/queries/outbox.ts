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

/** Puts events into the outbox, in their order. */
export async function insertOutbox(tx: WriteTransaction, entries: readonly OutboxEntry[]): Promise<void> {
  await tx.query(
    `INSERT INTO outbox (topic, partition, event_id, key, value, headers, timestamp)
     SELECT topic, partition, "eventId", decode(key, 'base64'), decode(value, 'base64'), headers, timestamp
     FROM ROWS FROM (json_to_recordset($1::text::json) AS (topic text, partition int, "eventId" uuid, key text,
       value text, headers json, timestamp timestamptz)) WITH ORDINALITY
     ORDER BY ordinality`,
    [JSON.stringify(entries)]
  )
}
