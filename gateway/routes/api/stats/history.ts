import { problems } from '../../../schemas/problem.ts'
import { StatsHistory } from '../../../schemas/stats.ts'
import { toHistory } from '../../../stats-history.ts'
import type { App } from '../../../types.ts'

/** `/api/stats/history` */
export default async function statsHistoryRoutes(app: App) {
  app.get(
    '/api/stats/history',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getStatsHistory',
        tags: ['operations'],
        summary: 'Numbers of the last 20 minutes',
        description:
          'Gives what this gateway saw in the last 20 minutes, step by step, the oldest first, for charts. It comes from ' +
          'memory: it begins with the start of the gateway, and is there while Kafka or PostgreSQL is away.',
        response: { 200: StatsHistory, ...problems() }
      }
    },
    async (_request, reply) => reply.send(toHistory(app.sampler))
  )
}
