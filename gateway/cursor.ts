import type { Place } from '../db/queries/list.ts'
import { gatewayErrors, withExtras } from './errors.ts'

// Year 1 BC and five digits are what a time at the edge of ISO 8601 becomes in UTC.
const TIME = /^(\d{4,6})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?( BC)?$/
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const MAX_LENGTH = 512

/** Writes a place in a list as the opaque text that clients hand back. */
export function toCursor(place: Place | null): string | null {
  if (!place) return null
  return Buffer.from(JSON.stringify([place.time, place.id, place.topic])).toString('base64url')
}

/**
 * Reads a cursor as what it is: input of a client, from a place that is named where it is wrong.
 *
 * @throws SMG_GATEWAY_INVALID for anything that `toCursor` does not write
 */
export function parseCursor(cursor: string | undefined, path = '/cursor'): Place | null {
  if (cursor === undefined) return null
  const parts = cursor.length > MAX_LENGTH ? null : parseParts(cursor)
  const [time, id, topic, ...rest] = parts ?? []

  const isPlace = isTime(time) && typeof id === 'string' && ID.test(id) && isTopic(topic) && rest.length === 0
  // One text for one place: other spellings of the same bytes are not ours.
  if (isPlace && toCursor({ time, id, topic }) === cursor) return { time, id, topic }

  const faults = [{ path, message: 'is no cursor of this list' }]
  throw withExtras(new gatewayErrors.SMG_GATEWAY_INVALID(`${path} is no cursor of this list`), { faults })
}

function parseParts(cursor: string): unknown[] | null {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    return Array.isArray(parts) ? parts : null
  } catch {
    return null // not JSON: no cursor either
  }
}

function isTopic(topic: unknown): topic is string {
  return typeof topic === 'string' && !topic.includes('\u0000')
}

function isTime(time: unknown): time is string {
  const [, year, month, day] = (typeof time === 'string' && TIME.exec(time)) || []
  if (year === undefined || Number(year) === 0) return false
  // Months have 28 to 31 days: a day too many is in the next one. 2000 stands in for years out of Date's text.
  const sameDay = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month) - 1, Number(day)))
  return sameDay.getUTCMonth() === Number(month) - 1 && Number(year) <= 290_000
}
