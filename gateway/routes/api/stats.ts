import { Type } from '@sinclair/typebox'
import { readStats } from '../../read-stats.ts'
import { problems } from '../../schemas/problem.ts'
import { Stats } from '../../schemas/stats.ts'
import type { App } from '../../types.ts'

/** `/api/stats` */
export default async function statRoutes(app: App) {
  app.addSchema(Stats)
  app.get(
    '/api/stats',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getStats',
        tags: ['operations'],
        summary: 'Numbers of the system',
        description: 'Gives rates and times over the last 60 seconds, and totals from exact counters.',
        response: {
          200: { description: 'The numbers.', content: { 'application/json': { schema: Type.Ref('Stats') } } },
          ...problems(503)
        }
      }
    },
    async (_request, reply) => reply.send(await readStats(app))
  )
}
