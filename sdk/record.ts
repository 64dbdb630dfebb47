import type { Input } from './types.ts'

/** A record as Kafka gave it, with the id of its event. */
export interface IdentifiedRecord {
  readonly id: string
  readonly topic: string
  readonly partition: number
  /** Decimal string. */
  readonly offset: string
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

/** Bytes as text: UTF-8 where they are, else `base64:` and the bytes. Null stays null. */
export function toText(bytes: Buffer): string
export function toText(bytes: Buffer | null): string | null
export function toText(bytes: Buffer | null): string | null {
  if (bytes === null) return null
  const text = bytes.toString('utf8')
  // U+FFFD stands for bytes that are not UTF-8; PostgreSQL's text cannot hold U+0000.
  const isExact = !text.includes('\u0000') && (!text.includes('\ufffd') || Buffer.from(text).equals(bytes))
  return isExact ? text : `base64:${bytes.toString('base64')}`
}

/** Headers as an object: names to text, or to a list of texts where a name occurs more than once. */
export function toHeaders(headers: IdentifiedRecord['headers']): Input['headers'] {
  const texts: Record<string, string | string[]> = Object.create(null)

  for (const [name, bytes] of headers) {
    const text = toText(bytes) ?? ''
    const before = texts[name]
    if (before === undefined) texts[name] = text
    else if (Array.isArray(before)) before.push(text)
    else texts[name] = [before, text]
  }
  return texts
}

// Years of four digits: PostgreSQL does not read the ISO form of the others.
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** A record's time as PostgreSQL takes it, in ISO 8601. */
export function toTime(timestampMs: number): string {
  return new Date(toLegalMs(timestampMs)).toISOString()
}

/** A record's time within the years 1 to 9999; what a producer stamped in another unit is the epoch. */
export function toLegalMs(timestampMs: number): number {
  return timestampMs >= EARLIEST_MS && timestampMs <= LATEST_MS ? timestampMs : 0
}
