import { Type } from '@sinclair/typebox'
import type { LoadedFunction } from '../../../../sdk/types.ts'
import { answerBatch, toBatchResults } from '../../../answer-batch.ts'
import { findIdempotencyKey, toKeyedRequest } from '../../../idempotency-key.ts'
import { openBatch } from '../../../open-batch.ts'
import type { ParsedEvent } from '../../../parse-batch.ts'
import { produceGroups } from '../../../produce-groups.ts'
import { problemResponse, problems } from '../../../schemas/problem.ts'
import { BatchProblem, BatchResults, batchOf, IdempotencyField, linesOf } from '../../../schemas/produce.ts'
import type { App } from '../../../types.ts'
import { forBody } from '../../../validator-compiler.ts'

const DESCRIPTION =
  ' Each is accepted or refused on its own: 202 when all were accepted, 207 when some were, 400 when none was. Under an ' +
  '`Idempotency-Key` a repeat sends again only what is not acknowledged. `Prefer` is ignored here. NDJSON is sent on while it ' +
  'comes: an answer that is neither 202 nor 207 has `results` for what was read before, and what is not in them was not sent.'

/** `/api/produce/{topic}/batch`: a route a function. */
export default async function batchRoutes(app: App) {
  for (const schema of [BatchResults, BatchProblem]) app.addSchema(schema)
  for (const definition of app.functions.values()) addBatch(app, definition)
}

function addBatch(app: App, definition: LoadedFunction) {
  const { topic, event } = definition

  app.post(
    `/api/produce/${topic}/batch`,
    {
      config: { scope: `produce:${topic}`, rawBody: true, lines: true },
      bodyLimit: app.settings.batchBodyBytes,
      // The body is looked at when it is opened: as NDJSON it is not here yet.
      validatorCompiler: forBody(() => true),
      schema: {
        operationId: `produceBatch-${topic}`,
        tags: ['produce'],
        summary: `Produce events of ${topic}`,
        description: `Writes events into the topic \`${topic}\`: up to 1000 as JSON, up to 10000 as NDJSON.${DESCRIPTION}`,
        headers: Type.Object(IdempotencyField),
        body: {
          content: {
            'application/json': { schema: batchOf(event) },
            'application/x-ndjson': { schema: linesOf(event) }
          }
        },
        response: {
          202: { description: 'Kafka has all.', content: { 'application/json': { schema: Type.Ref('BatchResults') } } },
          207: {
            description: 'Kafka has some.',
            content: { 'application/json': { schema: Type.Ref('BatchResults') } }
          },
          ...problems(409, 413, 415, 422, 503),
          400: problemResponse('Not a batch, or none of its events is valid.', Type.Ref('BatchProblem')),
          408: problemResponse('The body did not arrive in time.', Type.Ref('BatchProblem')),
          413: problemResponse('The body is too large, or has too many lines.', Type.Ref('BatchProblem')),
          429: problemResponse('A rate limit is used up; `Retry-After` says for how long.', Type.Ref('BatchProblem')),
          503: problemResponse(
            'Kafka did not acknowledge any of the events in time, or the gateway stops.',
            Type.Ref('BatchProblem')
          )
        }
      }
    },
    async (request, reply) => {
      const key = findIdempotencyKey(request)
      const { settings, closing } = app
      const { groups, place, bodyHash } = openBatch(request, definition, { settings, closing, isHeld: key !== null })
      const takeEvents = (count: number) => app.takeEvents(request, reply, count)
      const { traceparent } = request.headers

      if (key === null) {
        const offer: Parameters<typeof produceGroups>[1]['offer'] = (events, order) =>
          app.offer(definition, events, { traceparent, ...order })
        return answerBatch(reply, await produceGroups(groups, { offer, takeEvents }), place)
      }
      // What is sent under a key is written down as a whole before.
      const parsed: ParsedEvent[] = []
      for await (const group of groups) parsed.push(...group)
      takeEvents(parsed.length)
      if (parsed.every(one => 'error' in one)) return answerBatch(reply, toBatchResults(parsed, []), place)
      const keyed = toKeyedRequest(request, key, bodyHash())
      return answerBatch(reply, await app.produceOnce.batch(keyed, definition, { parsed, traceparent }), place)
    }
  )
}
