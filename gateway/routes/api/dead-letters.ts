import { Type } from '@sinclair/typebox'
import { addList } from '../../add-list.ts'
import { gatewayErrors } from '../../errors.ts'
import { DeadLetter, DeadLetterExport, DeadLetterGroup, DeadLetterState, Stage } from '../../schemas/dead-letters.ts'
import { instant, Limit, toFilters } from '../../schemas/list.ts'
import { problems } from '../../schemas/problem.ts'
import { Filter, Id, TopicName } from '../../schemas/values.ts'
import { toDeadLetter, toExport } from '../../to-dead-letter.ts'
import type { App } from '../../types.ts'

const ById = Type.Object({ id: Id('of the dead letter') })
const common = { tags: ['dead-letters'] }

/** `/api/dead-letters`, `/api/dead-letters/{id}`, `…/groups` and `…/{id}/export` */
export default async function deadLetterRoutes(app: App) {
  addList(app, '/api/dead-letters', {
    operationId: 'listDeadLetters',
    tag: 'dead-letters',
    summary: 'Dead letters',
    description: 'Lists records that could not be settled, newest first by the time of the record.',
    item: DeadLetter,
    filters: {
      topic: Type.Optional(TopicName('of one topic')),
      stage: Type.Optional(Stage),
      state: Type.Optional(DeadLetterState),
      disposition: Filter('of one reason', 'validation_failed'),
      error: Filter('with an error of this name', 'NonRetriableError')
    },
    async list(filters, page) {
      const { items, next } = await app.queries.deadLetters.list(filters, page)
      return { items: JSON.stringify(items.map(toDeadLetter)), next }
    }
  })
  for (const schema of [DeadLetterGroup, DeadLetterExport]) app.addSchema(schema)
  addGroups(app)
  addOne(app)
  addExport(app)
}

function addGroups(app: App) {
  app.get(
    '/api/dead-letters/groups',
    {
      config: { scope: 'read' },
      schema: {
        ...common,
        operationId: 'groupDeadLetters',
        summary: 'Dead letters by reason',
        description:
          'Counts dead letters that failed alike, most first, among the newest 20,000 by the time of their record.',
        querystring: Type.Object({
          topic: Type.Optional(TopicName('of one topic')),
          stage: Type.Optional(Stage),
          state: Type.Optional(DeadLetterState),
          from: instant('the oldest time of a record, inclusive; ISO 8601 with offset'),
          to: instant('the newest time of a record, exclusive; ISO 8601 with offset'),
          limit: Limit('groups at most')
        }),
        response: {
          200: Type.Object(
            {
              items: Type.Array(Type.Ref('DeadLetterGroup')),
              isComplete: Type.Boolean({ description: 'false when there are older ones, which are not counted' })
            },
            { description: 'The groups.' }
          ),
          ...problems(503)
        }
      }
    },
    async (request, reply) => {
      const { limit, ...filters } = request.query
      return reply.send(await app.queries.deadLetters.groups(toFilters(filters), limit))
    }
  )
}

function addOne(app: App) {
  app.get(
    '/api/dead-letters/:id',
    {
      config: { scope: 'read' },
      schema: {
        ...common,
        operationId: 'getDeadLetter',
        summary: 'One dead letter',
        description: 'Gives one dead letter with its record, byte for byte, and the reason.',
        params: ById,
        response: {
          200: { description: 'It.', content: { 'application/json': { schema: Type.Ref('DeadLetter') } } },
          ...problems(404, 414, 503)
        }
      }
    },
    async (request, reply) => reply.send(toDeadLetter(await getDeadLetter(app, request.params.id)))
  )
}

function addExport(app: App) {
  app.get(
    '/api/dead-letters/:id/export',
    {
      config: { scope: 'read' },
      schema: {
        ...common,
        operationId: 'exportDeadLetter',
        summary: 'A dead letter as a file',
        description: 'Gives a dead letter as a file that `smg-kafka/testing` runs.',
        params: ById,
        response: {
          200: { description: 'The file.', content: { 'application/json': { schema: Type.Ref('DeadLetterExport') } } },
          ...problems(404, 414, 503)
        }
      }
    },
    async (request, reply) => {
      const stored = await getDeadLetter(app, request.params.id)
      reply.header('content-disposition', `attachment; filename="dead-letter-${stored.id}.json"`)
      return reply.send(toExport(stored))
    }
  )
}

async function getDeadLetter(app: App, id: string) {
  const stored = await app.queries.deadLetters.findById(id)
  if (!stored) throw new gatewayErrors.SMG_GATEWAY_NO_DEAD_LETTER(id)
  return stored
}
