import fp from 'fastify-plugin'

/** Writes one line a request, when it is answered: no payload, no query, no header of the client. */
export default fp(
  async app => {
    app.addHook('onResponse', (request, reply, done) => {
      const line = {
        reqId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 100) / 100,
        subject: request.subject ?? undefined
      }
      app.log.info(line, 'request')
      done()
    })
  },
  { name: 'request-log', dependencies: ['security'] }
)
