import rateLimit, { type FastifyRateLimitStore, type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addressKey } from '../address-key.ts'
import type { SecuritySettings } from '../config.ts'
import { gatewayErrors, withExtras } from '../errors.ts'
import { createWindowLimit, type Limit } from '../window-limit.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Takes events of a batch from what the client has left, one call or several a request; throws SMG_GATEWAY_RATE_LIMIT. */
    takeEvents(request: FastifyRequest, reply: FastifyReply, count: number): void
  }
}

const MAX_KEYS = 50_000

interface LimitOptions {
  readonly security: SecuritySettings | null
}

/**
 * Limits requests and events by window, a subject or, without one, an address at a time. The fields are
 * those of draft-ietf-httpapi-ratelimit-headers-11.
 */
export default fp<LimitOptions>(
  async (app, { security }) => {
    if (!security) {
      app.decorate('takeEvents', () => undefined)
      return
    }
    const { maxRequests, maxEvents, windowMs } = security
    const windowSeconds = Math.max(1, Math.ceil(windowMs / 1000))
    await app.register(rateLimit, { global: false, store: toStore({ max: maxRequests, windowMs, maxKeys: MAX_KEYS }) })
    const takeRequest = app.createRateLimit({ max: maxRequests, timeWindow: windowMs, keyGenerator: keyOf })
    // The package counts one a request; the events of a batch weigh as many as they are.
    const takeEvents = createWindowLimit({ max: maxEvents, windowMs, maxKeys: MAX_KEYS })

    app.addHook('onRequest', async (request, reply) => {
      if (request.route.config.scope === 'public') return
      const limit = toLimit(await takeRequest(request))
      announce(reply, { name: 'default', max: maxRequests, windowSeconds, limit })
      if (!limit.isAllowed) refuse(request, 'default', limit)
    })
    app.decorate('takeEvents', (request: FastifyRequest, reply: FastifyReply, count: number) => {
      const limit = takeEvents(keyOf(request), count)
      announce(reply, { name: 'events', max: maxEvents, windowSeconds, limit })
      if (!limit.isAllowed) refuse(request, 'events', limit)
    })
  },
  { name: 'limits', dependencies: ['security'], decorators: { request: ['route'] } }
)

/** Counts for the package: its own store goes by the wall clock, and set back, that would end no window for an hour. */
function toStore(options: Parameters<typeof createWindowLimit>[0]): FastifyRateLimitStoreCtor {
  const take = createWindowLimit(options)
  return class {
    incr(key: string, done: Parameters<FastifyRateLimitStore['incr']>[1]) {
      const { isAllowed, remaining, resetSeconds } = take(key)
      done(null, { current: options.max - remaining + (isAllowed ? 0 : 1), ttl: resetSeconds * 1000 })
    }

    child() {
      return this
    }
  }
}

function toLimit(counted: Awaited<ReturnType<ReturnType<FastifyInstance['createRateLimit']>>>): Limit {
  // Allowed without a count is what its allow-list says; there is none here.
  if (counted.isAllowed) return { isAllowed: true, remaining: 0, resetSeconds: 1 }
  const { isExceeded, remaining, ttlInSeconds } = counted
  return { isAllowed: !isExceeded, remaining, resetSeconds: Math.max(1, ttlInSeconds) }
}

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
  put(reply, 'ratelimit-policy', `"${name}";q=${max};w=${windowSeconds}`)
  put(reply, 'ratelimit', `"${name}";r=${limit.remaining};t=${limit.resetSeconds}`)
}

/** Adds an item to a list, in place of one of the same policy. */
function put(reply: FastifyReply, field: string, item: string) {
  const [policy = ''] = item.split(';', 1)
  const others = String(reply.getHeader(field) ?? '')
    .split(', ')
    .filter(other => other !== '' && !other.startsWith(policy))
  reply.header(field, [...others, item].join(', '))
}

function keyOf(request: FastifyRequest): string {
  return request.subject === null ? addressKey(request.ip) : `subject ${request.subject}`
}
