import { Type } from '@sinclair/typebox'
import { alertRules } from '../../alerts/rules.ts'
import { toAlert, toTime } from '../../alerts/to-alert.ts'
import { Alert } from '../../schemas/alerts.ts'
import { problems } from '../../schemas/problem.ts'
import { Nullable, Time, Words } from '../../schemas/values.ts'
import type { App } from '../../types.ts'

const Answer = Type.Object(
  {
    items: Type.Array(Type.Ref('Alert')),
    evaluatedAt: Nullable(Time('of the last evaluation'), 'null before the first'),
    source: Words(['database', 'memory'], 'all gateways, or this one for itself while PostgreSQL is away')
  },
  { description: 'All.' }
)

/** `/api/alerts` */
export default async function alertRoutes(app: App) {
  app.addSchema(Alert)
  app.get(
    '/api/alerts',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listAlerts',
        tags: ['operations'],
        summary: 'Alerts',
        description: 'Gives every alert rule with its state. It answers while Kafka and PostgreSQL are away.',
        response: { 200: Answer, ...problems() }
      }
    },
    async (_request, reply) => {
      const { states, evaluatedAtMs, source } = await app.alerts.read()
      const items = alertRules.map(rule => toAlert(rule, states))
      return reply.send({ items, evaluatedAt: toTime(evaluatedAtMs), source })
    }
  )
}
