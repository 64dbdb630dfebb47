import { type TSchema, Type } from '@sinclair/typebox'
import { Id, Offset, Time } from './values.ts'

/** What became of an event that Kafka acknowledged. */
export const Accepted = Type.Object(
  {
    id: Id('of the event'),
    topic: Type.String({ examples: ['user-activities'] }),
    partition: Type.Integer({ minimum: 0, examples: [1] }),
    offset: Offset('of the record'),
    timestamp: Time('of the record, set by the gateway')
  },
  { $id: 'Accepted', description: 'Where the event is in Kafka, acknowledged by every in-sync replica.' }
)

const Refusal = Type.Object({
  code: Type.String({ examples: ['SMG_GATEWAY_INVALID'] }),
  detail: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() })))
})

const BatchResult = Type.Union([
  Type.Object({
    index: Type.Integer({ minimum: 0 }),
    status: Type.Literal(202),
    id: Id('of the event'),
    partition: Type.Integer({ minimum: 0 }),
    offset: Offset('of the record')
  }),
  Type.Object({ index: Type.Integer({ minimum: 0 }), status: Type.Integer({ examples: [400] }), error: Refusal })
])

/** What became of each event of a batch, in their order. */
export const BatchResults = Type.Object(
  { results: Type.Array(BatchResult) },
  { $id: 'BatchResults', description: 'One result an event, in their order.' }
)

/** A batch of which nothing was accepted. */
export const BatchProblem = Type.Intersect(
  [Type.Ref('Problem'), Type.Object({ results: Type.Optional(Type.Array(BatchResult)) })],
  {
    $id: 'BatchProblem',
    description: 'A problem with one result an event, where there were any.'
  }
)

/** The body of a batch of events of one schema. */
export function batchOf(event: TSchema) {
  return Type.Object(
    { events: Type.Array(event, { minItems: 1, maxItems: 1000 }) },
    { additionalProperties: false, description: 'Up to 1000 events; each is accepted or refused on its own.' }
  )
}
