import jwt from '@fastify/jwt'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addressKey } from '../address-key.ts'
import type { SecuritySettings } from '../config.ts'
import { gatewayErrors, withExtras } from '../errors.ts'
import { hasTokenForm } from '../token-form.ts'
import type { Scope } from '../types.ts'
import { createWindowLimit } from '../window-limit.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a verified token; null without one. */
    subject: string | null
    /** Milliseconds after its arrival for which its token still lets in, leeway included; without end when there is none. */
    tokenLeftMs: number
  }
  interface FastifyContextConfig {
    /** A route without one is closed to everybody while security is on. */
    scope?: Scope
  }
}

const LEEWAY_MS = 60_000
const MAX_SUBJECT = 256
// Of the requests that a client has: guessing tokens gets slow, and whoever holds a good one is not touched by it.
const FAILURE_SHARE = 0.2
const MAX_ADDRESSES = 50_000

interface SecurityOptions {
  readonly security: SecuritySettings | null
  /** Epoch in milliseconds. */
  readonly now: () => number
}

/** Lets a request in by the scopes of its bearer token, an HS256 JWT. Without settings everybody is let in. */
export default fp<SecurityOptions>(
  async (app, { security, now }) => {
    app.decorateRequest('subject', null)
    app.decorateRequest('tokenLeftMs', Number.POSITIVE_INFINITY)
    if (!security) return

    const readClaims = await createVerifier(app, security)
    const countFailure = createFailureCounter(security)
    app.addHook('onRequest', async request => {
      const { scope } = request.route.config
      if (scope === 'public') return

      const claims = readClaims(request, countFailure)
      request.subject = claims.sub
      request.tokenLeftMs = claims.exp * 1_000 + LEEWAY_MS - now()
      // Whoever is known may learn that nothing is there.
      if (!request.is404 && !hasScope(claims, scope)) throw logged(request, 'denied', forbidden())
    })
  },
  { name: 'security', dependencies: ['headers'], decorators: { request: ['route'] } }
)

interface Claims {
  readonly sub: string
  /** Epoch in seconds. */
  readonly exp: number
  readonly scope?: unknown
  readonly scopes?: unknown
}

async function createVerifier(app: FastifyInstance, { secret, issuer, audience }: SecuritySettings) {
  await app.register(jwt, {
    secret,
    verify: {
      algorithms: ['HS256'],
      requiredClaims: ['exp', 'sub', ...(issuer ? ['iss'] : []), ...(audience ? ['aud'] : [])],
      clockTolerance: LEEWAY_MS,
      ...(issuer && { allowedIss: issuer }),
      ...(audience && { allowedAud: audience })
    }
  })

  return function readClaims(request: FastifyRequest, countFailure: (request: FastifyRequest) => void): Claims {
    const token = findToken(request)
    if (token === null) throw logged(request, 'unauthenticated', unauthenticated('Bearer realm="smg-kafka"'))
    const claims = hasTokenForm(token) ? findClaims(token) : null
    if (claims) return claims

    const error = logged(request, 'login_failed', unauthenticated())
    countFailure(request)
    throw error
  }

  function findClaims(token: string): Claims | null {
    try {
      return app.jwt.verify<Claims>(token)
    } catch {
      return null // why is nobody's business but the issuer's: every wrong token gets the same answer
    }
  }
}

function createFailureCounter({ maxRequests, windowMs }: SecuritySettings) {
  const max = Math.max(10, Math.ceil(maxRequests * FAILURE_SHARE))
  const take = createWindowLimit({ max, windowMs, maxKeys: MAX_ADDRESSES })

  return (request: FastifyRequest) => {
    const { isAllowed, resetSeconds } = take(addressKey(request.ip))
    if (isAllowed) return
    const extras = { retryAfterSeconds: resetSeconds, violatedPolicies: ['logins'] }
    throw withExtras(new gatewayErrors.SMG_GATEWAY_RATE_LIMIT('failed logins'), extras)
  }
}

/** From the one field Authorization that may hold it; never from the query. Empty when it is no bearer token. */
function findToken({ raw }: FastifyRequest): string | null {
  // Names and values in turn. Node keeps the first of two such fields and drops the other without a word.
  const names = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization')
  if (names.length === 0) return null
  return names.length > 1 ? '' : (/^bearer +(\S+)$/i.exec(raw.headers.authorization ?? '')?.[1] ?? '')
}

function hasScope({ scope: text, scopes }: Claims, wanted: Scope | undefined): boolean {
  const held: unknown[] = [
    ...(typeof text === 'string' ? text.split(' ') : []),
    ...(Array.isArray(scopes) ? scopes : [])
  ]
  if (wanted === undefined) return false
  return held.includes(wanted) || (wanted.startsWith('produce:') && held.includes('produce:*'))
}

function unauthenticated(challenge = 'Bearer realm="smg-kafka", error="invalid_token"') {
  return Object.assign(new gatewayErrors.SMG_GATEWAY_UNAUTHENTICATED(), { headers: { 'www-authenticate': challenge } })
}

function forbidden() {
  const challenge = 'Bearer realm="smg-kafka", error="insufficient_scope"'
  return Object.assign(new gatewayErrors.SMG_GATEWAY_FORBIDDEN(), { headers: { 'www-authenticate': challenge } })
}

function logged<E extends Error>(request: FastifyRequest, event: string, error: E): E {
  const subject = request.subject?.slice(0, MAX_SUBJECT)
  request.log.warn({ event, subject, address: request.ip, route: request.route.url }, 'security')
  return error
}
