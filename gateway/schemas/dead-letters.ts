import { Type } from '@sinclair/typebox'
import { Count, Id, Nullable, Offset, Time, Words } from './values.ts'

export const Stage = Words(['decode', 'validate', 'handle', 'persist'], 'where the record failed')
export const DeadLetterState = Words(['dead', 'redriving', 'resolved', 'discarded'], 'what became of it since')

const ErrorShape = Type.Object({ name: Type.String(), message: Type.String(), stack: Nullable(Type.String()) })
const Base64 = (description: string) => Nullable(Type.String({ contentEncoding: 'base64' }), description)

/** A record that its function could not settle. */
export const DeadLetter = Type.Object(
  {
    id: Id('of the dead letter'),
    eventId: Id('of the event'),
    topic: Type.String(),
    group: Type.String(),
    partition: Type.Integer({ minimum: 0 }),
    offset: Offset('of the record'),
    key: Nullable(Type.String(), '`base64:` and its bytes when it is no text'),
    value: Type.Unknown({ description: 'what JSON says, or else the text; null when it is neither' }),
    valueBase64: Base64('byte for byte; null for a null value'),
    headers: Type.Record(Type.String(), Type.Unknown(), {
      description: 'names to text, or to a list where a name occurred more than once'
    }),
    timestamp: Time('of the record'),
    stage: Stage,
    disposition: Type.String({ description: 'why it is here', examples: ['validation_failed'] }),
    error: ErrorShape,
    attempts: Count('calls of `handle`'),
    state: DeadLetterState,
    createdAt: Time('when it died'),
    resolvedAt: Nullable(Time('when it was resolved or discarded'), 'null before that')
  },
  { $id: 'DeadLetter', description: 'A record that its function could not settle, whole and with the reason.' }
)

/** Dead letters with one reason. */
export const DeadLetterGroup = Type.Object(
  {
    topic: Type.String(),
    group: Type.String(),
    stage: Stage,
    disposition: Type.String(),
    error: Type.Object({ name: Type.String(), message: Type.String({ description: 'of the newest' }) }),
    count: Count('all of them'),
    dead: Count('those that are still dead'),
    firstAt: Time('when the first died'),
    lastAt: Time('when the last died'),
    sampleId: Id('of the newest')
  },
  { $id: 'DeadLetterGroup', description: 'Dead letters that failed alike.' }
)

/** A dead letter as a file. */
export const DeadLetterExport = Type.Object(
  {
    format: Type.Literal('smg-kafka/dead-letter@1'),
    record: Type.Object({
      topic: Type.String(),
      partition: Type.Integer({ minimum: 0 }),
      offset: Offset('of the record'),
      timestamp: Time('of the record'),
      keyBase64: Base64('null for no key'),
      valueBase64: Base64('null for a null value'),
      headers: Type.Array(Type.Array(Nullable(Type.String())), { description: '[name, base64 or null], in order' })
    }),
    failure: Type.Object({
      id: Id('of the dead letter'),
      eventId: Id('of the event'),
      group: Type.String(),
      stage: Stage,
      disposition: Type.String(),
      attempts: Count('calls of `handle`'),
      error: ErrorShape
    })
  },
  { $id: 'DeadLetterExport', description: 'Every byte of the record, for a run in `smg-kafka/testing`.' }
)
