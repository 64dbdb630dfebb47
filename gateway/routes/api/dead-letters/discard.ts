import { Type } from '@sinclair/typebox'
import { gatewayErrors } from '../../../errors.ts'
import { logOperation, toOperation } from '../../../operator.ts'
import { problems } from '../../../schemas/problem.ts'
import { Discarded } from '../../../schemas/redrives.ts'
import { Id } from '../../../schemas/values.ts'
import type { App } from '../../../types.ts'

/** `DELETE /api/dead-letters/{id}` */
export default async function discardRoute(app: App) {
  app.addSchema(Discarded)
  app.delete(
    '/api/dead-letters/:id',
    {
      config: { scope: 'operate' },
      schema: {
        tags: ['dead-letters'],
        operationId: 'discardDeadLetter',
        summary: 'Give a dead letter up',
        description:
          'Marks a dead letter as discarded: it is never run again, and what it holds back of its key goes on. The row stays.',
        params: Type.Object({ id: Id('of the dead letter') }),
        response: {
          200: { description: 'Done.', content: { 'application/json': { schema: Type.Ref('Discarded') } } },
          ...problems(404, 409, 414, 503)
        }
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const state = await app.writes.deadLetters.discard(id, toOperation(request))
      if (state === undefined) throw new gatewayErrors.SMG_GATEWAY_NO_DEAD_LETTER(id)
      if (state !== 'discarded') throw new gatewayErrors.SMG_GATEWAY_DEAD_LETTER_STATE(id, state)

      logOperation(request, { event: 'discard', id })
      return reply.send({ id, state })
    }
  )
}
