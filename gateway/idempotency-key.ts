import type { FastifyRequest } from 'fastify'
import type { KeyedRequest } from '../db/queries/idempotency.ts'
import { toInvalid } from './parse-batch.ts'
import { toStoredSubject } from './stored-subject.ts'

const FIELD = 'idempotency-key'
// A string of RFC 9651: its content is printable ASCII, with `"` and `\` escaped.
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const KEY = /^[\x20-\x7e]{1,255}$/

/**
 * Gives the key of a request, quoted (draft-ietf-httpapi-idempotency-key-header) or bare; null without one.
 *
 * @throws SMG_GATEWAY_INVALID when it is not 1 to 255 characters of printable ASCII, or there are two
 */
export function findIdempotencyKey({ raw }: FastifyRequest): string | null {
  const text = raw.headers[FIELD]
  if (text === undefined) return null

  const fields = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === FIELD)
  const key = fields.length > 1 ? null : toKey(String(text))
  if (key !== null && KEY.test(key)) return key
  throw toInvalid([{ path: '/Idempotency-Key', message: 'must be one text of 1 to 255 printable ASCII characters' }])
}

/** Says which request a key means: that of its subject and its route. */
export function toKeyedRequest(request: FastifyRequest, key: string, bodyHash: string): KeyedRequest {
  const subject = toStoredSubject(request.subject ?? '')
  return { subject, route: `POST ${request.route.url}`, key, bodyHash }
}

function toKey(text: string): string | null {
  if (!text.startsWith('"')) return text
  return QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? null
}
