import { Type } from '@sinclair/typebox'
import { problems } from '../schemas/problem.ts'
import { Words } from '../schemas/values.ts'
import type { App } from '../types.ts'

const State = Words(['ok', 'degraded', 'down'], 'how it is')
const Health = Type.Object(
  { status: State, checks: Type.Object({ kafka: State, database: State, functions: State }) },
  {
    $id: 'Health',
    description: 'States only.',
    examples: [{ status: 'ok', checks: { kafka: 'ok', database: 'ok', functions: 'ok' } }]
  }
)
const Alive = Type.Object({ status: Type.Literal('ok') }, { description: 'It is.' })
const Unready = Type.Object({ status: Type.Literal('down') }, { description: 'Not now.' })
const common = { tags: ['health'], security: [] }

/** `/health`, `/health/live` and `/health/ready`: public, and states only. */
export default async function healthRoutes(app: App) {
  app.addSchema(Health)
  const config = { scope: 'public' } as const

  app.get(
    '/health',
    {
      config,
      schema: {
        ...common,
        operationId: 'getHealth',
        summary: 'State of the gateway',
        description: 'Says how the gateway, Kafka, PostgreSQL and the functions are. 503 when nothing can be produced.',
        response: {
          200: { description: 'It serves.', content: { 'application/json': { schema: Type.Ref('Health') } } },
          ...problems(),
          503: { description: 'It cannot serve.', content: { 'application/json': { schema: Type.Ref('Health') } } }
        }
      }
    },
    async (_request, reply) => {
      const health = await app.checkHealth()
      return reply.code(health.status === 'down' ? 503 : 200).send(health)
    }
  )

  app.get(
    '/health/live',
    {
      config,
      schema: {
        ...common,
        operationId: 'getLiveness',
        summary: 'Liveness probe',
        description: 'Answers as long as the process does: a restart would help where it does not.',
        response: { 200: Alive, ...problems() }
      }
    },
    async () => ({ status: 'ok' as const })
  )

  app.get(
    '/health/ready',
    {
      config,
      schema: {
        ...common,
        operationId: 'getReadiness',
        summary: 'Readiness probe',
        description: 'Says whether new requests are wanted: not while the gateway shuts down.',
        response: { 200: Alive, ...problems(), 503: Unready }
      }
    },
    async (_request, reply) => {
      if (app.isClosing()) return reply.code(503).send({ status: 'down' as const })
      return reply.send({ status: 'ok' as const })
    }
  )
}
