import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { gatewayErrors, type ProblemExtras } from '../errors.ts'
import { toInvalid } from '../parse-batch.ts'
import { toProblem } from '../problem.ts'
import { allowedMethods } from '../route-table.ts'

/** Answers every error as an RFC 9457 problem. What no catalogue knows becomes SMG_GATEWAY_INTERNAL, logged here only. */
export default fp(
  async app => {
    app.setErrorHandler(sendProblem)
    app.setNotFoundHandler(() => {
      throw new gatewayErrors.SMG_GATEWAY_NO_ROUTE()
    })
    const routes = allowedMethods(app)

    // Before the body is read: a path that leads nowhere is neither 413 nor 415.
    app.addHook('onRequest', (request, _reply, done) => {
      if (!request.is404) return done()
      const allowed = routes(request.url)
      if (allowed.length === 0) return done(new gatewayErrors.SMG_GATEWAY_NO_ROUTE())

      const error = new gatewayErrors.SMG_GATEWAY_METHOD(request.method)
      done(Object.assign(error, { headers: { allow: allowed.join(', ') } }))
    })
  },
  { name: 'problems', dependencies: ['security'] }
)

/** Sends an error as its problem. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply) {
  const error = toCoded(thrown, request)
  const status = error.statusCode ?? 500
  if (status >= 500) request.log.error({ err: thrown, code: error.code }, 'request failed')

  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds))
  if (error.headers) reply.headers(error.headers)
  const problem = toProblem(error, { title: STATUS_CODES[status] ?? 'Error', instance: request.url })
  return reply.code(status).type('application/problem+json').send(JSON.stringify(problem))
}

type Coded = Error & { code: string; statusCode?: number } & ProblemExtras

// What Fastify throws by itself; all else of it is ours to look at.
const FRAMEWORK: Record<string, (limit: number) => Coded> = {
  FST_ERR_CTP_BODY_TOO_LARGE: limit => new gatewayErrors.SMG_GATEWAY_TOO_LARGE(limit),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new gatewayErrors.SMG_GATEWAY_MEDIA_TYPE(),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new gatewayErrors.SMG_GATEWAY_MALFORMED('the body is not as long as it says'),
  FST_ERR_BAD_URL: () => new gatewayErrors.SMG_GATEWAY_MALFORMED('the path is not encoded as it must be'),
  FST_ERR_MAX_PARAM_LENGTH: () => new gatewayErrors.SMG_GATEWAY_URL_TOO_LONG()
}

function toCoded(thrown: unknown, request: FastifyRequest): Coded {
  const error = thrown as Coded & { faults?: readonly { path: string; message: string }[] }
  const code = typeof error?.code === 'string' ? error.code : ''
  if (code in gatewayErrors) return error
  if (code === 'SMG_SDK_BAD_JSON') return toInvalid(error.faults ?? [], thrown)

  const known = FRAMEWORK[code]
  return known ? known(request.routeOptions.bodyLimit ?? 0) : new gatewayErrors.SMG_GATEWAY_INTERNAL()
}
