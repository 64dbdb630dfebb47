import { Type } from '@sinclair/typebox'
import { gatewayErrors } from '../../../errors.ts'
import { movePosition } from '../../../move-position.ts'
import { logOperation, toOperation } from '../../../operator.ts'
import { PositionMoves, PositionRequest } from '../../../schemas/positions.ts'
import { problems } from '../../../schemas/problem.ts'
import { TopicName } from '../../../schemas/values.ts'
import type { App } from '../../../types.ts'
import { forOptionalBody } from '../../../validator-compiler.ts'

const content = { 'application/json': { schema: Type.Ref('PositionMoves') } }

/** `/api/topics/{topic}/position` */
export default async function positionRoute(app: App) {
  app.addSchema(PositionMoves)
  app.post(
    '/api/topics/:topic/position',
    {
      config: { scope: 'operate' },
      validatorCompiler: forOptionalBody(PositionRequest),
      schema: {
        tags: ['operations'],
        operationId: 'moveTopicPosition',
        summary: 'Move the positions of a topic',
        description:
          'Moves what the function of a topic handles next, back or on, in all partitions or in some, all of them or none. Runners notice ' +
          'within a moment, drop what is in hand and go on from there. Records that are settled already get no second effect; what is ' +
          'skipped is not handled. With `dryRun` nothing is moved.',
        params: Type.Object({ topic: TopicName('of the function') }),
        body: PositionRequest,
        response: {
          200: { description: 'A dry run.', content },
          202: { description: 'The positions are moved; runners follow.', content },
          ...problems(404, 409, 413, 414, 415, 503)
        }
      }
    },
    async (request, reply) => {
      const { topic } = request.params
      const { to, dryRun = false } = request.body
      if (!app.functions.has(topic)) throw new gatewayErrors.SMG_GATEWAY_NO_TOPIC(topic)
      const groupId = `${app.settings.groupPrefix}${topic}`
      const partitions = await movePosition(app, { groupId, topic, to, dryRun, operation: toOperation(request) })

      if (!dryRun) logOperation(request, { event: 'position', topic, to })
      return reply.code(dryRun ? 200 : 202).send({ topic, dryRun, partitions })
    }
  )
}
