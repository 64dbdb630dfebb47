import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { gatewayErrors } from '../../../errors.ts'
import { logOperation, toOperation } from '../../../operator.ts'
import { FunctionSwitch } from '../../../schemas/functions.ts'
import { problems } from '../../../schemas/problem.ts'
import { TopicName } from '../../../schemas/values.ts'
import type { App } from '../../../types.ts'
import { forOptionalBody } from '../../../validator-compiler.ts'

const Nothing = Type.Object({}, { description: 'nothing has to be said' })

interface Switch {
  readonly verb: 'pause' | 'resume'
  readonly summary: string
  readonly description: string
  readonly state: 'paused' | 'running'
  readonly write: App['writes']['functionStates']['pause' | 'resume']
}

/** `/api/functions/{topic}/pause` and `/api/functions/{topic}/resume` */
export default async function pauseRoutes(app: App) {
  app.addSchema(FunctionSwitch)
  addSwitch(app, {
    verb: 'pause',
    summary: 'Hold a function up',
    description:
      'Lets runners stop before the next record of a function, until it is resumed. Nothing is lost meanwhile.',
    state: 'paused',
    write: app.writes.functionStates.pause
  })
  addSwitch(app, {
    verb: 'resume',
    summary: 'Let a function go on',
    description:
      'Lets runners go on with a function that is paused, or was stopped by a flood: first with a single record.',
    state: 'running',
    write: app.writes.functionStates.resume
  })
}

function addSwitch(app: App, { verb, summary, description, state, write }: Switch) {
  app.post(
    `/api/functions/:topic/${verb}`,
    {
      config: { scope: 'operate', optionalBody: true },
      validatorCompiler: forOptionalBody(Nothing),
      schema: {
        tags: ['operations'],
        operationId: `${verb}Function`,
        summary,
        description,
        params: Type.Object({ topic: TopicName('of the function') }),
        body: Nothing,
        response: {
          202: {
            description: 'It is written down.',
            content: { 'application/json': { schema: Type.Ref('FunctionSwitch') } }
          },
          ...problems(404, 413, 414, 415, 503)
        }
      }
    },
    async (request: FastifyRequest<{ Params: { topic: string } }>, reply) => {
      const { topic } = request.params
      if (!app.functions.has(topic)) throw new gatewayErrors.SMG_GATEWAY_NO_TOPIC(topic)
      await write({ groupId: `${app.settings.groupPrefix}${topic}`, topic }, toOperation(request))

      logOperation(request, { event: verb, topic })
      return reply.code(202).send({ topic, state })
    }
  )
}
