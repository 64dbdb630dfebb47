import { createHash } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import type { KeyedRequest } from '../../../db/queries/idempotency.ts'
import type { LoadedFunction } from '../../../sdk/types.ts'
import { answerBatch, toBatchResults } from '../../answer-batch.ts'
import { answerEvent, toAccepted } from '../../answer-event.ts'
import { gatewayErrors } from '../../errors.ts'
import { findIdempotencyKey } from '../../idempotency-key.ts'
import { parseBatch, type RefusedEvent, toInvalid } from '../../parse-batch.ts'
import type { ProduceOutcome, ValidEvent } from '../../produce.ts'
import { problemResponse, problems } from '../../schemas/problem.ts'
import {
  Accepted,
  AcceptedWithOutcome,
  BatchProblem,
  BatchResults,
  batchOf,
  IdempotencyField,
  PreferField
} from '../../schemas/produce.ts'
import { MAX_EVENT_BYTES } from '../../sizes.ts'
import { toStoredSubject } from '../../stored-subject.ts'
import type { App } from '../../types.ts'
import { forBody } from '../../validator-compiler.ts'

const Location = Type.String({ description: 'where it can be read once it is settled' })
const PreferenceApplied = Type.String({ description: 'the wait that was granted, where one was asked for' })

/** `/api/produce/{topic}` and `/api/produce/{topic}/batch`: two routes a function, with its schema. */
export default async function produceRoutes(app: App) {
  for (const schema of [Accepted, AcceptedWithOutcome, BatchResults, BatchProblem]) app.addSchema(schema)
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
        description:
          `Writes one event into the topic \`${topic}\` and answers when every in-sync replica has it; with ` +
          '`Prefer: wait=N`, when it is settled or dead.',
        headers: Type.Object({ ...IdempotencyField, ...PreferField }),
        body: event,
        response: {
          200: {
            description: 'It is settled, or dead.',
            headers: { Location, 'Preference-Applied': PreferenceApplied },
            content: { 'application/json': { schema: Type.Ref('AcceptedWithOutcome') } }
          },
          202: {
            description: 'Kafka has it. Also when it was waited for in vain.',
            headers: { Location, 'Preference-Applied': PreferenceApplied },
            content: { 'application/json': { schema: Type.Ref('Accepted') } }
          },
          ...problems(409, 413, 415, 422, 503)
        }
      }
    },
    async (request, reply) => {
      const event = { event: request.body, value: request.bodyBytes ?? Buffer.alloc(0) }
      const keyed = findKeyedRequest(request)
      const accepted = keyed
        ? await app.produceOnce.event(keyed, definition, { event, ...traceOf(request) })
        : toAcceptedOrThrow(topic, await app.produce(definition, [event], traceOf(request)))
      return answerEvent(app, { accepted, request, reply })
    }
  )
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
          'were accepted, 207 when some were, 400 when none was. Under an `Idempotency-Key` a repeat sends again only what ' +
          'is not acknowledged. `Prefer` is ignored here.',
        headers: Type.Object(IdempotencyField),
        body: batchOf(event),
        response: {
          202: { description: 'Kafka has all.', content: { 'application/json': { schema: Type.Ref('BatchResults') } } },
          207: {
            description: 'Kafka has some.',
            content: { 'application/json': { schema: Type.Ref('BatchResults') } }
          },
          ...problems(409, 413, 415, 422, 503),
          400: problemResponse('Not a batch, or none of its events is valid.', Type.Ref('BatchProblem')),
          503: problemResponse('Kafka did not acknowledge any of the events in time.', Type.Ref('BatchProblem'))
        }
      }
    },
    async (request, reply) => {
      const parsed = request.body
      app.takeEvents(request, reply, parsed.length)
      const valid = parsed.filter((one): one is ValidEvent => !('error' in one))
      const keyed = findKeyedRequest(request)
      if (valid.length === 0) return answerBatch(reply, toBatchResults(parsed, []))
      if (keyed)
        return answerBatch(reply, await app.produceOnce.batch(keyed, definition, { parsed, ...traceOf(request) }))
      return answerBatch(reply, toBatchResults(parsed, await app.produce(definition, valid, traceOf(request))))
    }
  )
}

function toAcceptedOrThrow(topic: string, [outcome]: readonly ProduceOutcome[]) {
  if (!outcome) throw new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED()
  if ('error' in outcome) throw outcome.error
  return toAccepted(topic, outcome)
}

/** Null without an `Idempotency-Key`: then nothing is remembered of the request. */
function findKeyedRequest(request: FastifyRequest): KeyedRequest | null {
  const key = findIdempotencyKey(request)
  if (key === null) return null
  return {
    subject: toStoredSubject(request.subject ?? ''),
    route: `POST ${request.routeOptions.url}`,
    key,
    bodyHash: createHash('sha256')
      .update(request.bodyBytes ?? '')
      .digest('hex')
  }
}

function traceOf({ headers }: FastifyRequest) {
  return { traceparent: headers.traceparent }
}
