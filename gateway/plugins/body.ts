import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { parseJson } from '../../sdk/parse-json.ts'
import { gatewayErrors } from '../errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it came, where there is one. */
    bodyBytes: Buffer | null
  }
  interface FastifyContextConfig {
    /** The route parses the bytes of its body itself. */
    rawBody?: boolean
    /** The route also takes NDJSON, and reads it itself: its body is a stream then. */
    lines?: boolean
    /** An empty body is as good as none. */
    optionalBody?: boolean
  }
}

// Fastify would take a prefix of this; the header decides what a body means, so it is all or nothing.
const JSON_TYPE = /^application\/json(\s*;\s*charset=("utf-8"|utf-8))?$/i

const NDJSON_TYPE = /^application\/x-ndjson(\s*;\s*charset=("utf-8"|utf-8))?$/i

const FOREIGN = /^(cross|same)-site$/

/** Reads bodies: JSON in UTF-8 only, through the parser that the runner uses too; where a route asks for it, also NDJSON. */
export default fp(
  async app => {
    app.decorateRequest('bodyBytes', null)
    app.addHook('onRequest', (request, _reply, done) => done(findTypeFault(request)))

    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
      try {
        request.bodyBytes = body as Buffer
        if (body.length === 0 && request.route.config.optionalBody) return done(null, null)
        done(null, request.route.config.rawBody ? body : parseJson(body as Buffer))
      } catch (error) {
        done(error as Error)
      }
    })
    app.addContentTypeParser('application/x-ndjson', (request, payload, done) => {
      if (request.route.config.lines) done(null, payload)
      else done(new gatewayErrors.SMG_GATEWAY_MEDIA_TYPE())
    })
  },
  { name: 'body', dependencies: ['problems'], decorators: { request: ['route'] } }
)

function findTypeFault({ headers, is404, route }: FastifyRequest): Error | undefined {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  // Without a body, a page of another site may post here and its browser asks nobody: JSON is what makes it ask.
  const isForeign = route.config.optionalBody && FOREIGN.test(String(headers['sec-fetch-site']))
  if (is404 || (!hasBody && headers['content-type'] === undefined && !isForeign)) return undefined
  // A route without a body ignores what comes with it, as Fastify does.
  if (route.schema?.body === undefined) return undefined

  const encoding = headers['content-encoding'] ?? 'identity'
  const type = headers['content-type'] ?? ''
  const isTaken = JSON_TYPE.test(type) || (route.config.lines === true && NDJSON_TYPE.test(type))
  return isTaken && encoding.toLowerCase() === 'identity' ? undefined : new gatewayErrors.SMG_GATEWAY_MEDIA_TYPE()
}
