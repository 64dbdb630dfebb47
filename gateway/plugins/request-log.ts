import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { findTraceId } from '../../sdk/trace.ts'

/** Writes one line a request, when it is answered: no payload, no query, no header of the client but its trace. */
export default fp(
  async app => {
    const streams = new WeakSet<FastifyRequest>()

    function write(request: FastifyRequest, reply: FastifyReply) {
      const line = {
        reqId: request.id,
        traceId: findTraceId(request.headers.traceparent),
        method: request.method,
        route: request.route.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 100) / 100,
        subject: request.subject ?? undefined
      }
      app.log.info(line, 'request')
    }

    app.addHook('onResponse', (request, reply, done) => {
      if (!streams.has(request)) write(request, reply)
      done()
    })
    app.addHook('onRoute', route => {
      if (!route.config?.isStream) return
      // Mostly the client ends a stream, and to Fastify that is no answer.
      route.onRequest = (request, reply, done) => {
        streams.add(request)
        reply.raw.once('close', () => write(request, reply))
        done()
      }
    })
  },
  { name: 'request-log', dependencies: ['security'], decorators: { request: ['route'] } }
)
