import { createHash } from 'node:crypto'
import { drawDigits } from './random-digits.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const VARIANTS = ['8', '9', 'a', 'b']
const LATEST_MS = 2 ** 48 - 1

const TAIL_DIGITS = 20

let latest = { timestampMs: -1, prefix: '00000000-0000' }

/**
 * Makes a new UUIDv7 (RFC 9562) for a point in time: a prefix of 48 bits of milliseconds, the rest random. Ids sort by
 * time, so that inserts go to the right edge of an index.
 */
export function createEventId(timestampMs: number): string {
  return toUuid(timestampMs, drawDigits(TAIL_DIGITS))
}

/** Derives an id of the form of a UUIDv7 from anything that names the event: the same parts always give the same id. */
export function deriveEventId(timestampMs: number, parts: readonly (string | Buffer | null)[]): string {
  const hash = createHash('sha256')

  for (const part of parts) {
    // Length before content: ['ab', 'c'] and ['a', 'bc'] are not the same, and null is not empty.
    hash.update(part === null ? 'null;' : `${Buffer.byteLength(part)};`)
    if (part !== null) hash.update(part)
  }
  return toUuid(timestampMs, hash.digest('hex').slice(0, TAIL_DIGITS))
}

/** Says whether a text is a UUIDv7 in lower case. */
export function isEventId(text: string): boolean {
  return UUID_V7.test(text)
}

/** The point in time that an id was made for, in milliseconds. */
export function timestampMsOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** Of the digits of the tail the first and the fifth make room for what a UUIDv7 is known by. */
function toUuid(timestampMs: number, tail: string): string {
  const variant = VARIANTS[Number.parseInt(tail[4] ?? '', 16) & 3]
  return `${toPrefix(timestampMs)}-7${tail.slice(1, 4)}-${variant}${tail.slice(5, 8)}-${tail.slice(8)}`
}

/** Of the time. Events of one moment share it. */
function toPrefix(timestampMs: number): string {
  if (timestampMs === latest.timestampMs) return latest.prefix
  const ms = Math.min(Math.max(Math.trunc(timestampMs) || 0, 0), LATEST_MS)
  const time = ms.toString(16).padStart(12, '0')
  latest = { timestampMs, prefix: `${time.slice(0, 8)}-${time.slice(8)}` }
  return latest.prefix
}
