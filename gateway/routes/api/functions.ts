import { Type } from '@sinclair/typebox'
import type { LoadedFunction } from '../../../sdk/types.ts'
import { gatewayErrors } from '../../errors.ts'
import { FunctionView } from '../../schemas/functions.ts'
import { problems } from '../../schemas/problem.ts'
import { TopicName } from '../../schemas/values.ts'
import type { App } from '../../types.ts'

const common = { tags: ['operations'] }

/** `/api/functions` and `/api/functions/{topic}` */
export default async function functionRoutes(app: App) {
  app.addSchema(FunctionView)

  app.get(
    '/api/functions',
    {
      config: { scope: 'read' },
      schema: {
        ...common,
        operationId: 'listFunctions',
        summary: 'Functions',
        description: 'Gives every function with its schema, options, state and last errors.',
        response: {
          200: Type.Object({ items: Type.Array(Type.Ref('Function')) }, { description: 'All.' }),
          ...problems(503)
        }
      }
    },
    async (_request, reply) => reply.send({ items: await readFunctions(app, [...app.functions.values()]) })
  )

  app.get(
    '/api/functions/:topic',
    {
      config: { scope: 'read' },
      schema: {
        ...common,
        operationId: 'getFunction',
        summary: 'One function',
        description: 'Gives one function with its schema, options, state and last errors.',
        params: Type.Object({ topic: TopicName('of the function') }),
        response: {
          200: { description: 'It.', content: { 'application/json': { schema: Type.Ref('Function') } } },
          ...problems(404, 414, 503)
        }
      }
    },
    async (request, reply) => {
      const definition = app.functions.get(request.params.topic)
      if (!definition) throw new gatewayErrors.SMG_GATEWAY_NO_TOPIC(request.params.topic)
      const [view] = await readFunctions(app, [definition])
      return reply.send(view)
    }
  )
}

async function readFunctions(app: App, definitions: readonly LoadedFunction[]) {
  const [states, errors] = await Promise.all([
    app.queries.functionStates.all(),
    app.queries.functionStates.lastErrors(definitions.map(({ topic }) => topic))
  ])

  return definitions.map(({ topic, kind, event, options }) => {
    const group = `${app.settings.groupPrefix}${topic}`
    const known = states.find(state => state.topic === topic && state.groupId === group)
    const lastErrors = errors
      .filter(error => error.topic === topic && error.group === group)
      .map(({ deadLetterId, stage, name, message, at }) => ({ deadLetterId, stage, name, message, at }))
    const { state = 'running', reason = null, since = null } = known ?? {}
    return {
      topic,
      group,
      kind,
      schema: event,
      options,
      state,
      reason,
      since,
      rates: {
        written: app.sampler.rateOf(topic),
        settled: app.sampler.rateOf(topic, 'settled'),
        deadLetters: app.sampler.rateOf(topic, 'deadLetters')
      },
      lastErrors
    }
  })
}
