import { Type } from '@sinclair/typebox'
import { Stage } from '../schemas/dead-letters.ts'

/** Headers of an event that the gateway or a function wrote. */
export const EventHeaders = Type.Object(
  {
    id: Type.String({
      format: 'uuid',
      description:
        'Of the event, in time order. It counts only beside `producer-id: smg-kafka-producer`; any other record gets an id ' +
        'of `ce_source` and `ce_id`, or else of where it lies and what it holds.',
      examples: ['019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b']
    }),
    'content-type': Type.Literal('application/json'),
    'producer-id': Type.Literal('smg-kafka-producer'),
    traceparent: Type.Optional(
      Type.String({
        description: 'Of the request, where it had one (W3C Trace Context).',
        examples: ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01']
      })
    )
  },
  { description: 'A producer of its own may send others, or none.' }
)

const text = (description: string, example?: string) =>
  Type.String({ description, ...(example !== undefined && { examples: [example] }) })

/** Headers of a dead letter's copy, beside those that its record had: the first six as Apache names them (KIP-1191). */
export const DeadLetterHeaders = Type.Object({
  '__dlq.errors.topic': text('Where the record failed first, by its whole name in Kafka.', 'user-activities'),
  '__dlq.errors.partition': text('Where the record failed first.', '1'),
  '__dlq.errors.offset': text('Where the record failed first.', '4711'),
  '__dlq.errors.group': text('The consumer group.', 'smg.user-activities'),
  '__dlq.errors.delivery.count': text('Attempts made.', '3'),
  '__dlq.errors.message': Type.Optional(text('What the error said, 1,024 characters at most.')),
  '__dlq.errors.exception.class': text('Name of the error, or SQLSTATE as `sql:22P02`.', 'NonRetriableError'),
  '__dlq.errors.stacktrace': Type.Optional(text('8,192 characters at most.')),
  '__dlq.errors.stage': Stage,
  '__dlq.errors.disposition': text('Why it is a dead letter.', 'attempts_exhausted'),
  '__dlq.errors.failed.at': Type.String({ format: 'date-time' }),
  '__dlq.errors.function': text('The topic of the function, without TOPIC_PREFIX.', 'user-activities'),
  '__dlq.errors.id': text('Of the event: tells copies of one dead letter apart.'),
  '__dlq.errors.truncated': Type.Optional(text('`value` when there was no room for it: the row holds all.'))
})
