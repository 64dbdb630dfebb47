import type { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import { parseCursor } from '../../../cursor.ts'
import { gatewayErrors, withExtras } from '../../../errors.ts'
import { problems } from '../../../schemas/problem.ts'
import { Filter, TopicName } from '../../../schemas/values.ts'
import type { App } from '../../../types.ts'
import { forBody } from '../../../validator-compiler.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** An answer lasts as long as its client wants: its time says nothing. */
    isStream?: boolean
  }
}

// A token is looked at when a stream begins: what a client may do is asked again after so long.
const LIFETIME_MS = 15 * 60_000
const RETRY_SECONDS = 5

const DESCRIPTION =
  'Sends settled events as they come, as server-sent events: `message` with an item of `/api/messages` and an `id`, `skipped` with ' +
  '`{ count }` when a client reads too slowly or more than 50 a second come, null when nobody knows how many, `away` and `back` ' +
  'while PostgreSQL is away. With `Last-Event-ID` it goes on behind that event, with the newest 50 of those that came since; of a ' +
  'key or a partition it looks for them in the newest 50,000. With security on it ends after 15 minutes, or with its token.'

/** `/api/messages/stream` */
export default async function streamRoute(app: App) {
  app.get(
    '/api/messages/stream',
    {
      exposeHeadRoute: false,
      config: { scope: 'read', isStream: true },
      validatorCompiler: forBody(() => true),
      schema: {
        operationId: 'streamMessages',
        tags: ['messages'],
        summary: 'Live tail of settled events',
        description: DESCRIPTION,
        headers: Type.Object({
          'last-event-id': Type.Optional(Type.String({ maxLength: 512, description: '`id` of the last event' }))
        }),
        querystring: Type.Object({
          topic: Type.Optional(TopicName('of one topic')),
          key: Filter('of one Kafka key', 'user-001'),
          partition: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: 'of one partition' })
          )
        }),
        response: {
          200: {
            description: 'Events, until one of the two ends it.',
            content: { 'text/event-stream': { schema: Type.Unsafe<Readable>({ type: 'string' }) } }
          },
          ...problems(503)
        }
      }
    },
    async (request, reply) => {
      const { 'last-event-id': lastId } = request.headers as { 'last-event-id'?: string }
      const body = app.messageStreams.open({
        filters: request.query,
        after: parseCursor(lastId || undefined, '/last-event-id'),
        lifetimeMs: request.subject === null ? Number.POSITIVE_INFINITY : Math.min(LIFETIME_MS, request.tokenLeftMs)
      })
      if (!body) throw withExtras(new gatewayErrors.SMG_GATEWAY_OVERLOADED(), { retryAfterSeconds: RETRY_SECONDS })
      // For nginx, which would hold what comes until it has more.
      return reply.type('text/event-stream').header('x-accel-buffering', 'no').send(body)
    }
  )
}
