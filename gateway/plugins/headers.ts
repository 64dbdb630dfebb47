import fp from 'fastify-plugin'
import { gatewayErrors } from '../errors.ts'

/** What every answer carries; pages set a policy of their own. */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'"
} as const

const HEADERS = Object.entries(SECURITY_HEADERS)

/** Sets the security headers of every answer, and refuses a request without a Host as RFC 9112 section 3.2 asks. */
export default fp(
  async app => {
    app.addHook('onRequest', (request, reply, done) => {
      for (const [name, value] of HEADERS) reply.header(name, value)
      reply.header('x-request-id', request.id)
      if (app.isClosing()) reply.header('connection', 'close')
      const { httpVersion, headers } = request.raw
      if (httpVersion === '1.1' && headers.host === undefined) {
        reply.header('connection', 'close')
        return done(new gatewayErrors.SMG_GATEWAY_MALFORMED('the field Host is missing'))
      }
      done()
    })
  },
  { name: 'headers' }
)
