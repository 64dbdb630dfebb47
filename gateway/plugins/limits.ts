import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addressKey } from '../address-key.ts'
import type { SecuritySettings } from '../config.ts'
import { gatewayErrors, withExtras } from '../errors.ts'
import { createWindowLimit, type Limit } from '../window-limit.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Takes the events of a batch from what the client has left; throws SMG_GATEWAY_RATE_LIMIT. */
    takeEvents(request: FastifyRequest, reply: FastifyReply, count: number): void
  }
}

const MAX_KEYS = 50_000

interface LimitOptions {
  readonly security: SecuritySettings | null
  readonly now: () => number
}

/**
 * Limits requests and events by window, a subject or, without one, an address at a time. The fields are
 * those of draft-ietf-httpapi-ratelimit-headers-11.
 */
export default fp<LimitOptions>(
  async (app, { security, now }) => {
    if (!security) {
      app.decorate('takeEvents', () => undefined)
      return
    }
    const { maxRequests, maxEvents, windowMs } = security
    const window = { windowMs, maxKeys: MAX_KEYS, now }
    const windowSeconds = Math.max(1, Math.ceil(windowMs / 1000))
    const takeRequest = createWindowLimit({ ...window, max: maxRequests })
    const takeEvents = createWindowLimit({ ...window, max: maxEvents })

    app.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.scope === 'public') return
      const limit = takeRequest(keyOf(request))
      announce(reply, { name: 'default', max: maxRequests, windowSeconds, limit })
      if (!limit.isAllowed) refuse(request, 'default', limit)
    })
    app.decorate('takeEvents', (request: FastifyRequest, reply: FastifyReply, count: number) => {
      const limit = takeEvents(keyOf(request), count)
      announce(reply, { name: 'events', max: maxEvents, windowSeconds, limit })
      if (!limit.isAllowed) refuse(request, 'events', limit)
    })
  },
  { name: 'limits', dependencies: ['security'] }
)

function refuse(request: FastifyRequest, policy: string, limit: Limit): never {
  request.log.warn({ event: 'limited', subject: request.subject ?? undefined, address: request.ip, policy }, 'security')
  const extras = { retryAfterSeconds: limit.resetSeconds, violatedPolicies: [policy] }
  throw withExtras(new gatewayErrors.SMG_GATEWAY_RATE_LIMIT(policy === 'events' ? 'events' : 'requests'), extras)
}

interface Announcement {
  readonly name: string
  readonly max: number
  readonly windowSeconds: number
  readonly limit: Limit
}

function announce(reply: FastifyReply, { name, max, windowSeconds, limit }: Announcement) {
  append(reply, 'ratelimit-policy', `"${name}";q=${max};w=${windowSeconds}`)
  append(reply, 'ratelimit', `"${name}";r=${limit.remaining};t=${limit.resetSeconds}`)
}

function append(reply: FastifyReply, name: string, item: string) {
  const before = reply.getHeader(name)
  reply.header(name, before === undefined ? item : `${before}, ${item}`)
}

function keyOf(request: FastifyRequest): string {
  return request.subject === null ? addressKey(request.ip) : `subject ${request.subject}`
}
