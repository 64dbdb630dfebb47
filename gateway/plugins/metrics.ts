import fp from 'fastify-plugin'
import type { Measures } from '../metrics/measures.ts'
import type { MinuteRecorder } from '../minute-stats.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** All metrics as Prometheus text. */
    readMetrics(): Promise<{ text: string; contentType: string }>
  }
}

interface MetricsOptions {
  readonly measures: Pick<Measures, 'registry' | 'onRequest'>
  readonly requests: MinuteRecorder
  readonly now: () => number
}

/** Measures every request, and gives all that is measured. */
export default fp<MetricsOptions>(
  async (app, { measures: { registry, onRequest }, requests, now }) => {
    app.decorate('readMetrics', async () => ({ text: await registry.metrics(), contentType: registry.contentType }))
    app.addHook('onResponse', (request, reply, done) => {
      if (request.route.config.isStream) return done()
      const { elapsedTime: durationMs, statusCode } = reply
      requests.record({ atMs: now(), durationMs, isError: statusCode >= 500 })
      // The route's pattern, never the path: a label may not grow with what clients think of.
      onRequest(request.method, request.route.url ?? 'none', statusCode, durationMs / 1000)
      done()
    })
  },
  { name: 'metrics', decorators: { request: ['route'] } }
)
