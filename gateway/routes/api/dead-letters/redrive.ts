import { Type } from '@sinclair/typebox'
import type { RequestedRedrive } from '../../../../db/queries/dead-letter-requests.ts'
import { findTraceId } from '../../../../sdk/trace.ts'
import { gatewayErrors } from '../../../errors.ts'
import { logOperation, toOperation } from '../../../operator.ts'
import { toInvalid } from '../../../parse-batch.ts'
import { redriveMany } from '../../../redrive-many.ts'
import { toFilters } from '../../../schemas/list.ts'
import { problems } from '../../../schemas/problem.ts'
import { BulkRedrive, BulkRedriveRequest, Redrive, RedriveRequest } from '../../../schemas/redrives.ts'
import { Id } from '../../../schemas/values.ts'
import { MAX_EVENT_BYTES } from '../../../sizes.ts'
import { toText } from '../../../to-dead-letter.ts'
import { toJsonText } from '../../../to-json-text.ts'
import type { App } from '../../../types.ts'
import { forOptionalBody } from '../../../validator-compiler.ts'

// An edited value in base64, and what stands around it.
const MAX_BODY_BYTES = 2 * MAX_EVENT_BYTES
const USELESS = 'its value cannot be decoded: nothing but an edit will help'

/** `/api/dead-letters/{id}/redrive` and `/api/dead-letters/redrive` */
export default async function redriveRoutes(app: App) {
  for (const schema of [Redrive, BulkRedrive]) app.addSchema(schema)
  addOne(app)
  addMany(app)
}

function addOne(app: App) {
  app.post(
    '/api/dead-letters/:id/redrive',
    {
      config: { scope: 'operate', optionalBody: true },
      bodyLimit: MAX_BODY_BYTES,
      validatorCompiler: forOptionalBody(RedriveRequest),
      schema: {
        tags: ['dead-letters'],
        operationId: 'redriveDeadLetter',
        summary: 'Run a dead letter again',
        description:
          'Lets runners run a dead letter through its function again, on the bytes of the record or on an edited value. The oldest of a key ' +
          'comes first: one that has an older dead letter of its key is refused, unless it is to overtake. Asking again while it runs changes nothing.',
        params: Type.Object({ id: Id('of the dead letter') }),
        body: RedriveRequest,
        response: {
          202: { description: 'Runners have it.', content: { 'application/json': { schema: Type.Ref('Redrive') } } },
          ...problems(404, 409, 413, 414, 415, 503)
        }
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const { overtake = false } = request.body
      const editedValue = toEditedValue(request.body)
      const asked = await app.writes.deadLetters.redrive(id, {
        editedValue,
        overtake,
        operation: toOperation(request)
      })

      if (!asked) throw new gatewayErrors.SMG_GATEWAY_NO_DEAD_LETTER(id)
      if (asked.state === 'dead' && asked.olderId) throw new gatewayErrors.SMG_GATEWAY_OLDER_DEAD(asked.olderId)
      // One that runs already takes no edit any more.
      const isTaken = asked.isChanged || (asked.state === 'redriving' && editedValue === null)
      if (!isTaken) throw new gatewayErrors.SMG_GATEWAY_DEAD_LETTER_STATE(id, asked.state)

      // Of the record: the request has its own.
      const recordTraceId = findTraceId(toText(asked.traceparentBase64))
      if (asked.isChanged) logOperation(request, { event: 'redrive', id, recordTraceId })
      const isUseless = asked.disposition === 'decode_failed' && editedValue === null
      const laterSettled = await countLaterSettled(app, asked)
      return reply.code(202).send({ id, state: 'redriving', laterSettled, ...(isUseless && { warning: USELESS }) })
    }
  )
}

function addMany(app: App) {
  app.post(
    '/api/dead-letters/redrive',
    {
      config: { scope: 'operate' },
      validatorCompiler: forOptionalBody(BulkRedriveRequest),
      schema: {
        tags: ['dead-letters'],
        operationId: 'redriveDeadLetters',
        summary: 'Run many dead letters again',
        description:
          'Lets runners run what matches a filter again, those that died first before the others. One that an older dead letter of its key ' +
          'holds back is skipped, unless that one is part of this request. Repeat it until `redriven` is 0.',
        body: BulkRedriveRequest,
        response: {
          200: { description: 'A dry run.', content: { 'application/json': { schema: Type.Ref('BulkRedrive') } } },
          202: {
            description: 'Runners have them.',
            content: { 'application/json': { schema: Type.Ref('BulkRedrive') } }
          },
          ...problems(413, 415, 503)
        }
      }
    },
    async (request, reply) => {
      const { filter, limit = 1_000, dryRun = false, overtake = false } = request.body
      const operation = toOperation(request)
      const done = await redriveMany(app, { filter: toFilters(filter), limit, dryRun, overtake, operation })

      if (!dryRun) logOperation(request, { event: 'redrive', filter, redriven: done.redriven })
      return reply.code(dryRun ? 200 : 202).send(done)
    }
  )
}

/** Base64 of what is run in place of the value; null when nothing is. */
function toEditedValue({ value, valueBase64 }: { value?: unknown; valueBase64?: string }): string | null {
  if (value !== undefined && valueBase64 !== undefined) {
    throw toInvalid([{ path: '/valueBase64', message: 'cannot stand beside value' }])
  }
  const bytes = value === undefined ? Buffer.from(valueBase64 ?? '', 'base64') : Buffer.from(toJsonText(value))
  if (bytes.length > MAX_EVENT_BYTES) throw new gatewayErrors.SMG_GATEWAY_TOO_LARGE(MAX_EVENT_BYTES)
  return value === undefined && valueBase64 === undefined ? null : bytes.toString('base64')
}

/** Null without a key, and when nobody can say: the redrive stands all the same. */
async function countLaterSettled(app: App, { keyBase64, topic, partition, offset, timestamp }: RequestedRedrive) {
  const key = toText(keyBase64)
  if (key === null) return null
  return app.queries.redrivable.countLaterSettled({ topic, partition, offset, key, timestamp }).catch(() => null)
}
