import { Type } from '@sinclair/typebox'
import { problemType } from '../problem.ts'

const example = {
  type: problemType('SMG_GATEWAY_INVALID'),
  code: 'SMG_GATEWAY_INVALID',
  status: 400,
  title: 'Bad Request',
  detail: 'The request is not valid: /userId is missing',
  instance: '/api/produce/user-activities',
  errors: [{ path: '/userId', message: 'is missing' }]
}

const Fault = Type.Object({
  path: Type.String({ description: 'JSON pointer of the place; empty for the whole' }),
  message: Type.String({ description: 'the rule that it breaks' })
})

/** RFC 9457. */
export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri' }),
    code: Type.String({ pattern: '^SMG_[A-Z_]+$', description: 'listed in errors.md' }),
    status: Type.Integer({ description: 'as in the status line' }),
    title: Type.String(),
    detail: Type.String(),
    instance: Type.String({ description: 'path and query of the request' }),
    errors: Type.Optional(Type.Array(Fault, { description: 'what is wrong with the input' })),
    'violated-policies': Type.Optional(Type.Array(Type.String(), { description: 'limits that are used up' }))
  },
  { $id: 'Problem', description: 'An error (RFC 9457).', examples: [example] }
)

const WHEN = {
  400: 'Path, query or body are not valid.',
  401: 'There is no valid token.',
  403: 'The token does not hold the scope.',
  404: 'There is no such thing.',
  405: 'The method is not allowed here; `Allow` names those that are.',
  408: 'The request did not arrive in time.',
  409: 'Its state does not allow this now.',
  413: 'The body, or the record made of it, is too large.',
  414: 'A part of the path is too long.',
  415: 'The body is not JSON in UTF-8, or is compressed.',
  422: 'The Idempotency-Key was used for another body.',
  429: 'A rate limit is used up; `Retry-After` says for how long.',
  431: 'The header fields are too large.',
  500: 'Something went wrong here.',
  503: 'Kafka or PostgreSQL does not answer in time; `Retry-After` says when to come again.'
} as const

type Status = keyof typeof WHEN

const EVERYWHERE: readonly Status[] = [400, 401, 403, 408, 429, 431, 500]

/** The errors that a route may answer with, for its `response`: those that any route may, and `statuses`. */
export function problems(...statuses: readonly Status[]) {
  const all = [...new Set([...EVERYWHERE, ...statuses])]
  return Object.fromEntries(all.map(status => [status, problemResponse(WHEN[status])]))
}

/** One answer that is a problem. */
export function problemResponse(description: string, schema: unknown = Type.Ref('Problem')) {
  return { description, content: { 'application/problem+json': { schema } } }
}
