import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LoadedFunction } from '../../../sdk/types.ts'
import { answerBatch, toBatchResults } from '../../answer-batch.ts'
import { parseBatch, type RefusedEvent, toInvalid } from '../../parse-batch.ts'
import type { ProduceOutcome, ValidEvent } from '../../produce.ts'
import { problemResponse, problems } from '../../schemas/problem.ts'
import { Accepted, BatchProblem, BatchResults, batchOf } from '../../schemas/produce.ts'
import { MAX_EVENT_BYTES } from '../../sizes.ts'
import type { App } from '../../types.ts'
import { forBody } from '../../validator-compiler.ts'

/** `/api/produce/{topic}` and `/api/produce/{topic}/batch`: two routes a function, with its schema. */
export default async function produceRoutes(app: App) {
  for (const schema of [Accepted, BatchResults, BatchProblem]) app.addSchema(schema)
  for (const definition of app.functions.values()) {
    addProduce(app, definition)
    addBatch(app, definition)
  }
}

function addProduce(app: App, definition: LoadedFunction) {
  const { topic, event, findFaults } = definition

  app.post<{ Body: unknown }>(
    `/api/produce/${topic}`,
    {
      config: { scope: `produce:${topic}` },
      bodyLimit: MAX_EVENT_BYTES,
      // The function's own check, so that gateway and runner never disagree about an event.
      validatorCompiler: forBody(body => {
        const faults = findFaults(body)
        return faults ? { error: toInvalid(faults) } : true
      }),
      schema: {
        operationId: `produce-${topic}`,
        tags: ['produce'],
        summary: `Produce an event of ${topic}`,
        description: `Writes one event into the topic \`${topic}\` and answers when every in-sync replica has it.`,
        body: event,
        response: {
          202: {
            description: 'Kafka has it.',
            headers: { Location: Type.String({ description: 'where it can be read once it is settled' }) },
            content: { 'application/json': { schema: Type.Ref('Accepted') } }
          },
          ...problems(413, 415, 503)
        }
      }
    },
    async (request, reply) => {
      const value = request.bodyBytes ?? Buffer.alloc(0)
      const [outcome] = await app.produce(definition, [{ event: request.body, value }], traceOf(request))
      return answer(reply, topic, outcome)
    }
  )
}

function answer(reply: FastifyReply, topic: string, outcome: ProduceOutcome | undefined) {
  if (!outcome) return reply.send(undefined)
  if ('error' in outcome) throw outcome.error

  const { id, partition, offset, timestampMs } = outcome
  const timestamp = new Date(timestampMs).toISOString()
  return reply
    .code(202)
    .header('location', `/api/messages/${id}?topic=${encodeURIComponent(topic)}`)
    .send({ id, topic, partition, offset, timestamp })
}

function addBatch(app: App, definition: LoadedFunction) {
  const { topic, event } = definition

  app.post<{ Body: readonly (ValidEvent | RefusedEvent)[] }>(
    `/api/produce/${topic}/batch`,
    {
      config: { scope: `produce:${topic}`, rawBody: true },
      bodyLimit: app.settings.batchBodyBytes,
      validatorCompiler: forBody(body => {
        try {
          return { value: parseBatch((body as Buffer | null) ?? Buffer.alloc(0), definition) }
        } catch (error) {
          return { error: error as Error } // Fastify makes a 500 of what a validator throws
        }
      }),
      schema: {
        operationId: `produceBatch-${topic}`,
        tags: ['produce'],
        summary: `Produce events of ${topic}`,
        description:
          `Writes up to 1000 events into the topic \`${topic}\`. Each is accepted or refused on its own: 202 when all ` +
          'were accepted, 207 when some were, 400 when none was.',
        body: batchOf(event),
        response: {
          202: { description: 'Kafka has all.', content: { 'application/json': { schema: Type.Ref('BatchResults') } } },
          207: {
            description: 'Kafka has some.',
            content: { 'application/json': { schema: Type.Ref('BatchResults') } }
          },
          ...problems(413, 415, 503),
          400: problemResponse('Not a batch, or none of its events is valid.', Type.Ref('BatchProblem')),
          503: problemResponse('Kafka did not acknowledge any of the events in time.', Type.Ref('BatchProblem'))
        }
      }
    },
    async (request, reply) => {
      const parsed = request.body
      app.takeEvents(request, reply, parsed.length)
      const valid = parsed.filter((one): one is ValidEvent => !('error' in one))
      const outcomes = valid.length === 0 ? [] : await app.produce(definition, valid, traceOf(request))
      return answerBatch(reply, toBatchResults(parsed, outcomes))
    }
  )
}

function traceOf({ headers }: FastifyRequest) {
  return { traceparent: headers.traceparent }
}
