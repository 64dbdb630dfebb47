import { Type } from '@sinclair/typebox'
import { addList } from '../../add-list.ts'
import { gatewayErrors } from '../../errors.ts'
import { Message } from '../../schemas/messages.ts'
import { problems } from '../../schemas/problem.ts'
import { Filter, Id, TopicName } from '../../schemas/values.ts'
import { sendText } from '../../send-text.ts'
import type { App } from '../../types.ts'

/** `/api/messages` and `/api/messages/{id}` */
export default async function messageRoutes(app: App) {
  addList(app, '/api/messages', {
    operationId: 'listMessages',
    tag: 'messages',
    summary: 'Settled events',
    description: 'Lists settled events of all topics, newest first.',
    item: Message,
    filters: {
      topic: Type.Optional(TopicName('of one topic')),
      key: Filter('of one Kafka key', 'user-001'),
      partition: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: 'of one partition' }))
    },
    list: app.queries.messages.list
  })

  app.get(
    '/api/messages/:id',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getMessage',
        tags: ['messages'],
        summary: 'One settled event',
        description:
          'Gives one settled event, as it was sent. 404 until it is settled, and when it became a dead letter.',
        params: Type.Object({ id: Id('of the event') }),
        querystring: Type.Object({ topic: Type.Optional(TopicName('where the same id is in several topics')) }),
        response: {
          200: { description: 'The event.', content: { 'application/json': { schema: Type.Ref('Message') } } },
          ...problems(404, 414, 503)
        }
      }
    },
    async (request, reply) => {
      const message = await app.queries.messages.findById(request.params.id, request.query)
      if (message === undefined) throw new gatewayErrors.SMG_GATEWAY_NO_MESSAGE(request.params.id)
      return sendText(reply, message)
    }
  )
}
