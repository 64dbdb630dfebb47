import { Type } from '@sinclair/typebox'
import { problems } from '../schemas/problem.ts'
import type { App } from '../types.ts'

/** `/metrics` */
export default async function metricRoutes(app: App) {
  app.get(
    '/metrics',
    {
      config: { scope: 'metrics' },
      schema: {
        operationId: 'getMetrics',
        tags: ['operations'],
        summary: 'Metrics for Prometheus',
        description:
          'Gives the metrics of this process, and lag and counts of all topics as they were a few seconds ago.',
        response: {
          200: { description: 'Prometheus text.', content: { 'text/plain': { schema: Type.String() } } },
          ...problems()
        }
      }
    },
    async (_request, reply) => {
      const { text, contentType } = await app.readMetrics()
      return reply.type(contentType).send(text)
    }
  )
}
