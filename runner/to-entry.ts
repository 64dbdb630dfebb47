import type { InboxEntry } from '../db/queries/inbox.ts'
import type { RowWriter } from '../db/queries/row-writer.ts'
import { deriveEventId, timestampMsOf } from '../sdk/event-id.ts'
import { type IdentifiedRecord, textOfValue, toHeadersJson, toLegalMs, toText } from '../sdk/record.ts'

/**
 * Makes the inbox entry of a handled record, with the rows that its function gave.
 *
 * @throws what a row does whose value its column cannot take, and SMG_RUNNER's callers treat as the record's fault
 */
export function toEntry(
  record: IdentifiedRecord,
  rows: readonly Record<string, unknown>[],
  rowWriter: RowWriter | null
): InboxEntry {
  const { id, partition, offset, key, value, headers, timestampMs } = record
  return {
    id,
    partition,
    offset,
    key: toText(key),
    value: value ? textOfValue(value) : 'null',
    headers: toHeadersJson(headers),
    timestampMs: toLegalMs(timestampMs),
    rows: rowWriter ? rows.map((row, index) => rowWriter.toRow(row, toRowId(id, index), id)) : []
  }
}

/** The id of an event's row: the event's own for the first, derived from it for the others. */
function toRowId(eventId: string, index: number): string {
  return index === 0 ? eventId : deriveEventId(timestampMsOf(eventId), [eventId, 'row', String(index)])
}
