import { Type } from '@sinclair/typebox'
import { MAX_EVENT_BYTES } from '../sizes.ts'
import { DeadLetterState, Stage } from './dead-letters.ts'
import { instant } from './list.ts'
import { Count, Filter, Id, Nullable, TopicName, Words } from './values.ts'

const Overtake = Type.Optional(
  Type.Boolean({
    description: 'go past older ones of the key that are dead; never past the head of one that is parked',
    examples: [false]
  })
)

/** What an operator wants of one dead letter; nothing of it has to be said. */
export const RedriveRequest = Type.Object({
  value: Type.Optional(Type.Unknown({ description: 'JSON that is run in place of the value; the original is kept' })),
  valueBase64: Type.Optional(
    Type.String({
      pattern: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$',
      maxLength: Math.ceil(MAX_EVENT_BYTES / 3) * 4,
      contentEncoding: 'base64',
      description: 'the same as bytes, in place of `value`'
    })
  ),
  overtake: Overtake
})

/** What was done to one dead letter. */
export const Redrive = Type.Object(
  {
    id: Id('of the dead letter'),
    state: Words(['redriving'], 'runners have it now'),
    laterSettled: Nullable(
      Count('events of its key that lie behind it and are settled: their order is not restored'),
      'looked for among the 10,000 messages of its topic that came next; null without a key, or when that is not known'
    ),
    warning: Type.Optional(Type.String({ description: 'why this may be in vain' }))
  },
  { $id: 'Redrive', description: 'A dead letter that runners run again.' }
)

/** What an operator wants of many dead letters. */
export const BulkRedriveRequest = Type.Object({
  filter: Type.Object(
    {
      topic: Type.Optional(TopicName('of one topic')),
      stage: Type.Optional(Stage),
      state: Type.Optional(Words(['dead'], 'no others can be redriven')),
      disposition: Filter('of one reason', 'attempts_exhausted'),
      error: Filter('with an error of this name', 'TypeError'),
      from: instant('the oldest time of a record, inclusive; ISO 8601 with offset'),
      to: instant('the newest time of a record, exclusive; ISO 8601 with offset')
    },
    { description: 'all conditions hold; without any, all that is dead is meant' }
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 1_000,
      description: 'those that died first before the others'
    })
  ),
  dryRun: Type.Optional(Type.Boolean({ description: 'count, and change nothing' })),
  overtake: Overtake
})

/** What was done to many dead letters, or would be. */
export const BulkRedrive = Type.Object(
  {
    matched: Count('those that are dead and match, beyond the limit too'),
    redriven: Count('those that runners have now; 0 in a dry run'),
    skipped: Count('within the limit: those that an older dead letter of their key holds back'),
    reasons: Type.Array(
      Type.Object({
        stage: Stage,
        disposition: Type.String({ examples: ['attempts_exhausted'] }),
        error: Type.String({ description: 'name of the error' }),
        count: Count('of those that match')
      }),
      { description: 'most first, 100 at most' }
    )
  },
  { $id: 'BulkRedrive', description: 'Dead letters that runners run again.' }
)

/** A dead letter that nobody runs again. */
export const Discarded = Type.Object(
  { id: Id('of the dead letter'), state: DeadLetterState },
  { $id: 'Discarded', description: 'A dead letter that is given up; its row stays.' }
)
