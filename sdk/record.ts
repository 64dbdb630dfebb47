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

/** Of a large one the text is made anew: the last one is kept until another comes, which may be long. */
const KEPT_BYTES = 64 * 1024
let lastValue: Buffer | null = null
let lastText = ''

/**
 * The text of a value that is UTF-8. The last one's is remembered: a record is parsed, handled and stored in one go, and
 * parsing and storing both want it.
 */
export function textOfValue(value: Buffer): string {
  if (value.length > KEPT_BYTES) return value.toString('utf8')
  if (value !== lastValue) {
    lastText = value.toString('utf8')
    lastValue = value
  }
  return lastText
}

// Records of one producer share the headers that are the same in all of them (`kafka/decode-batch.ts`): what was made of
// the last ones is asked for again and again. By place in the list, and only so many: it keeps what it remembers.
const REMEMBERED = 8
// A header is a view of its whole batch: kept, it would keep that. What is the same in many records is short.
const SHORT_BYTES = 256
const seen: (Header | undefined)[] = new Array(REMEMBERED).fill(undefined)
const texts: string[] = new Array(REMEMBERED).fill('')
const members: (string | null)[] = new Array(REMEMBERED).fill(null)

type Header = IdentifiedRecord['headers'][number]

/** The text of a header, which stands at `index` of its list; empty for null. */
export function textOf(header: Header, index: number): string {
  if (seen[index] === header) return texts[index] as string
  const text = toText(header[1]) ?? ''
  if (index < REMEMBERED && text.length <= SHORT_BYTES) {
    seen[index] = header
    texts[index] = text
    members[index] = null
  }
  return text
}

/** Headers as an object: names to text, or to a list of texts where a name occurs more than once. */
export function toHeaders(headers: IdentifiedRecord['headers']): Input['headers'] {
  const found: Record<string, string | string[]> = Object.create(null)

  for (let index = 0; index < headers.length; index += 1) {
    const header = headers[index] as Header
    const text = textOf(header, index)
    const before = found[header[0]]
    if (before === undefined) found[header[0]] = text
    else if (Array.isArray(before)) before.push(text)
    else found[header[0]] = [before, text]
  }
  return found
}

/** The same as JSON. */
export function toHeadersJson(headers: IdentifiedRecord['headers']): string {
  if (headers.length > REMEMBERED || hasRepeated(headers)) return JSON.stringify(toHeaders(headers))
  let json = ''
  for (let index = 0; index < headers.length; index += 1) json += (index === 0 ? '' : ',') + memberOf(headers, index)
  return `{${json}}`
}

function memberOf(headers: IdentifiedRecord['headers'], index: number): string {
  const header = headers[index] as Header
  const text = textOf(header, index)
  const isRemembered = seen[index] === header
  const known = isRemembered ? members[index] : null
  const member = known ?? `${JSON.stringify(header[0])}:${JSON.stringify(text)}`
  if (isRemembered) members[index] = member
  return member
}

function hasRepeated(headers: IdentifiedRecord['headers']): boolean {
  for (let index = 1; index < headers.length; index += 1)
    for (let other = 0; other < index; other += 1) if (headers[index]?.[0] === headers[other]?.[0]) return true
  return false
}

// Years of four digits: PostgreSQL does not read the ISO form of the others.
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z')

let lastMs = 0
let lastTime = '1970-01-01T00:00:00.000Z'

/** A record's time as PostgreSQL takes it, in ISO 8601. */
export function toTime(timestampMs: number): string {
  const ms = toLegalMs(timestampMs)
  // Many records come in one millisecond.
  if (ms !== lastMs) {
    lastMs = ms
    lastTime = new Date(ms).toISOString()
  }
  return lastTime
}

/** A record's time within the years 1 to 9999; what a producer stamped in another unit is the epoch. */
export function toLegalMs(timestampMs: number): number {
  return timestampMs >= EARLIEST_MS && timestampMs <= LATEST_MS ? timestampMs : 0
}
