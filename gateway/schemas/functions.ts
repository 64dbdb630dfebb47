import { Type } from '@sinclair/typebox'
import { Count, Id, Nullable, Time, Words } from './values.ts'

const LastError = Type.Object({
  deadLetterId: Id('of the dead letter'),
  stage: Type.String(),
  name: Type.String(),
  message: Type.String(),
  at: Time('when it died')
})

const Options = Type.Object({
  maxAttempts: Count('attempts for one record; the first counts'),
  backoffMs: Type.Object({ min: Count('ms'), max: Count('ms') }),
  timeoutMs: Count('for one attempt'),
  maxAgeMs: Nullable(Count('older records are dead letters'), 'null is none'),
  partitions: Count('of the topic, when it is made'),
  retentionHours: Type.Number({ description: 'of the topic, when it is made' }),
  ordering: Words(['partition', 'key'], 'what a dead letter holds back'),
  concurrency: Count('keys at once inside a partition'),
  mask: Type.Array(Type.String(), { description: 'fields that are hidden outside the row' })
})

const Rate = (description: string) => Type.Number({ minimum: 0, description })

/** A function as it is served and run. */
export const FunctionView = Type.Object(
  {
    topic: Type.String({ examples: ['user-activities'] }),
    group: Type.String({ examples: ['smg.user-activities'] }),
    kind: Words(['rows', 'transaction', 'inbox'], 'rows with a table, a transaction, or no effect of its own'),
    schema: Type.Unknown({ description: 'JSON Schema of its events' }),
    options: Options,
    state: Words(['running', 'paused', 'stopped'], 'as its runners and operators left it'),
    reason: Nullable(Type.String(), 'why it is paused or stopped, and what to do; null while it runs'),
    since: Nullable(Time('of the state'), 'null when it never changed'),
    rates: Type.Object(
      {
        written: Rate('records written to its topic'),
        settled: Rate('records that came to an end: with their effect, as dead letters, or as copies'),
        deadLetters: Rate('records that became dead letters')
      },
      { description: 'a second, over the last 60 s' }
    ),
    lastErrors: Type.Array(LastError, { description: 'of the newest five dead letters, newest first' })
  },
  { $id: 'Function', description: 'A function with its schema, options and state.' }
)

/** What a function was told to do. */
export const FunctionSwitch = Type.Object(
  {
    topic: Type.String({ examples: ['user-activities'] }),
    state: Words(['running', 'paused'], 'as it is written down')
  },
  { $id: 'FunctionSwitch', description: 'What runners read within a moment, and heed.' }
)
