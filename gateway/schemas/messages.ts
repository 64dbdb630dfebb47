import { Type } from '@sinclair/typebox'
import { Id, Nullable, Offset, Time } from './values.ts'

/** A settled event. */
export const Message = Type.Object(
  {
    id: Id('of the event'),
    topic: Type.String(),
    partition: Type.Integer({ minimum: 0 }),
    offset: Offset('of the record'),
    key: Nullable(Type.String(), '`base64:` and its bytes when it is no text'),
    value: Type.Unknown({ description: 'as it was sent' }),
    headers: Type.Record(Type.String(), Type.Unknown(), {
      description: 'names to text, or to a list where a name occurred more than once'
    }),
    timestamp: Time('of the record'),
    receivedAt: Time('when it was settled')
  },
  { $id: 'Message', description: 'A settled event, as it was sent.' }
)
