import { createHash } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import type { KeyedRequest } from '../../../db/queries/idempotency.ts'
import type { LoadedFunction } from '../../../sdk/types.ts'
import { answerEvent, toAccepted } from '../../answer-event.ts'
import { gatewayErrors } from '../../errors.ts'
import { findIdempotencyKey, toKeyedRequest } from '../../idempotency-key.ts'
import { toInvalid } from '../../parse-batch.ts'
import type { ProduceOutcome } from '../../produce.ts'
import { problems } from '../../schemas/problem.ts'
import { Accepted, AcceptedWithOutcome, IdempotencyField, PreferField } from '../../schemas/produce.ts'
import { MAX_EVENT_BYTES } from '../../sizes.ts'
import type { App } from '../../types.ts'
import { forBody } from '../../validator-compiler.ts'

const Location = Type.String({ description: 'where it can be read once it is settled' })
const PreferenceApplied = Type.String({ description: 'the wait that was granted, where one was asked for' })

/** `/api/produce/{topic}`: a route a function, with its schema. */
export default async function produceRoutes(app: App) {
  for (const schema of [Accepted, AcceptedWithOutcome]) app.addSchema(schema)
  for (const definition of app.functions.values()) addProduce(app, definition)
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

function toAcceptedOrThrow(topic: string, [outcome]: readonly ProduceOutcome[]) {
  if (!outcome) throw new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED()
  if ('error' in outcome) throw outcome.error
  return toAccepted(topic, outcome)
}

/** Null without an `Idempotency-Key`: then nothing is remembered of the request. */
function findKeyedRequest(request: FastifyRequest): KeyedRequest | null {
  const key = findIdempotencyKey(request)
  if (key === null) return null
  const hash = createHash('sha256').update(request.bodyBytes ?? '')
  return toKeyedRequest(request, key, hash.digest('hex'))
}

function traceOf({ headers }: FastifyRequest) {
  return { traceparent: headers.traceparent }
}
