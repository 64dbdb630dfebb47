import type { IncomingMessage } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type TSchema, Type } from '@sinclair/typebox'
import Fastify, { type FastifyRequest, LogController } from 'fastify'
import { drawDigits } from '../sdk/random-digits.ts'
import { createClientErrorHandler, refuseExpectations } from './client-errors.ts'
import { sendProblem } from './plugins/problems.ts'
import { createRequestLogger } from './request-logger.ts'
import type { App, GatewayDependencies } from './types.ts'
import { compileValidator } from './validator-compiler.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** As `routeOptions`, which Fastify makes anew whenever it is asked for; it stays that of the first look. */
    readonly route: FastifyRequest['routeOptions']
    /** What `route` found; null before it is asked for. */
    knownRoute: FastifyRequest['routeOptions'] | null
  }
}

const ID_DIGITS = 24
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/
const MAX_CONNECTIONS = 20_000
const MAX_PARAM_LENGTH = 200
/** Beside the time for Kafka: `Prefer: wait`, and the database. */
const ANSWER_TIMEOUT_MS = 35_000

/** Makes the bare server of the app: its limits and deadlines, and what every route has. */
export function createServer({
  settings: { timeouts, produceTimeoutMs },
  log
}: Pick<GatewayDependencies, 'settings' | 'log'>): App {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: createRequestLogger,
    genReqId: toRequestId,
    requestTimeout: timeouts.requestMs,
    connectionTimeout: timeouts.idleMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    http: {
      // Node swaps the two when this one is the longer, and then a slow body lives for a minute: measured.
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: timeouts.checkMs,
      // A missing Host is answered by us, with a problem.
      requireHostHeader: false
    },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: sendProblem,
    clientErrorHandler: createClientErrorHandler({ answerTimeoutMs: produceTimeoutMs + ANSWER_TIMEOUT_MS }),
    return503OnClosing: false
  }).withTypeProvider<TypeBoxTypeProvider>()

  // By route, because Fastify forgets the compilers of an instance where schemas are added. Answers are built by us,
  // member by member; the schemas document them, and tests hold the one against the other.
  app.addHook('onRoute', route => {
    route.validatorCompiler ??= ({ schema }) => compileValidator(schema as TSchema)
    route.serializerCompiler ??= () => JSON.stringify
    // A route that names no query parameter has none: what is unknown is refused there too.
    if (route.url.startsWith('/api/') && route.schema) route.schema.querystring ??= Type.Object({})
    const scope = route.config?.scope
    if (scope && scope !== 'public' && route.schema) route.schema.security ??= [{ bearer: [scope] }]
  })
  app.decorateRequest('knownRoute', null)
  app.decorateRequest('route', {
    getter(this: FastifyRequest) {
      this.knownRoute ??= this.routeOptions
      return this.knownRoute
    }
  })
  app.server.maxConnections = MAX_CONNECTIONS
  refuseExpectations(app.server)
  return app
}

/** A client's own id when it is harmless in a log, else one that nobody could send before. */
function toRequestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : drawDigits(ID_DIGITS)
}
