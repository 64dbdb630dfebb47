import { isUtf8 } from 'node:buffer'
import type { StoredDeadLetter } from '../db/queries/dead-letters.ts'

/** A dead letter as the API gives it: readable where it can be read, byte for byte in `valueBase64`. */
export function toDeadLetter({ keyBase64, valueBase64, headers, ...stored }: StoredDeadLetter) {
  return {
    id: stored.id,
    eventId: stored.eventId,
    topic: stored.topic,
    group: stored.group,
    partition: stored.partition,
    offset: stored.offset,
    key: toText(keyBase64),
    value: toValue(valueBase64),
    valueBase64,
    headers: toHeaders(headers),
    timestamp: stored.timestamp,
    stage: stored.stage,
    disposition: stored.disposition,
    error: stored.error,
    attempts: stored.attempts,
    state: stored.state,
    createdAt: stored.createdAt,
    resolvedAt: stored.resolvedAt
  }
}

/** A dead letter as a file: every byte of the record, for a run in `smg-kafka/testing`. */
export function toExport(stored: StoredDeadLetter) {
  const { id, eventId, topic, group, partition, offset, timestamp, keyBase64, valueBase64, headers } = stored
  const { stage, disposition, attempts, error } = stored
  return {
    format: 'smg-kafka/dead-letter@1',
    record: { topic, partition, offset, timestamp, keyBase64, valueBase64, headers },
    failure: { id, eventId, group, stage, disposition, attempts, error }
  }
}

/** Text, or `base64:` and the bytes that are none. */
export function toText(base64: string | null): string | null {
  if (base64 === null) return null
  const bytes = Buffer.from(base64, 'base64')
  return isUtf8(bytes) ? bytes.toString('utf8') : `base64:${base64}`
}

/** What JSON says, or else the text, or else null. */
function toValue(base64: string | null): unknown {
  if (base64 === null) return null
  const bytes = Buffer.from(base64, 'base64')
  if (!isUtf8(bytes)) return null

  const text = bytes.toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    return text // that it is no JSON is why it is here
  }
}

function toHeaders(headers: StoredDeadLetter['headers']): Record<string, string | null | (string | null)[]> {
  const found = new Map<string, (string | null)[]>()
  for (const [name, base64] of headers) found.set(name, [...(found.get(name) ?? []), toText(base64)])
  return Object.fromEntries(
    [...found].map(([name, values]) => [name, values.length > 1 ? values : (values[0] ?? null)])
  )
}
