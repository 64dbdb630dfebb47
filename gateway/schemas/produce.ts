import { type TSchema, Type } from '@sinclair/typebox'
import { Stage } from './dead-letters.ts'
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

/** The fields of a request that says more than its body. */
export const IdempotencyField = {
  'Idempotency-Key': Type.Optional(
    Type.String({
      description:
        'Makes repeats of this request harmless: 1 to 255 printable ASCII characters, bare or quoted, new for each new request. ' +
        'A repeat with the same body gets the same answer, for IDEMPOTENCY_TTL_HOURS; with another body 422.',
      examples: ['"9b2f0c1e-order-4711"']
    })
  )
}

export const PreferField = {
  Prefer: Type.Optional(
    Type.String({
      description:
        '`wait=N` (RFC 7240): wait up to N seconds, 30 at most, for the outcome, and answer 200 with it. Anything else is ignored.',
      examples: ['wait=5']
    })
  )
}

/** What became of an event that somebody waited for. */
const Outcome = Type.Union([
  Type.Object({ state: Type.Literal('settled') }),
  Type.Object({
    state: Type.Literal('dead'),
    deadLetterId: Id('of the dead letter'),
    stage: Stage,
    error: Type.Object({ name: Type.String(), message: Type.String() })
  })
])

export const AcceptedWithOutcome = Type.Object(
  { ...Accepted.properties, outcome: Outcome },
  { $id: 'AcceptedWithOutcome', description: 'Where the event is in Kafka, and what became of it.' }
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

/** The body of NDJSON of events of one schema. */
export function linesOf(event: TSchema) {
  const example = exampleOf(event)
  return Type.String({
    description:
      'One event a line, as in `events` of application/json; lines end with LF or CR LF, empty ones do not count. ' +
      'Up to 10000 events; each is accepted or refused on its own, and `index` counts them from 0.',
    ...(example && { examples: [`${JSON.stringify(example)}\n`.repeat(2)] })
  })
}

/** An event of what its schema requires; undefined where that has no examples. */
export function exampleOf({ type, required = [], properties = {} }: TSchema): object | undefined {
  const members: [string, unknown][] = required.map((name: string) => [name, properties[name].examples?.[0]])
  const isWhole = type === 'object' && members.every(([, value]) => value !== undefined)
  return isWhole ? Object.fromEntries(members) : undefined
}
