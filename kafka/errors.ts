import { createError } from '@fastify/error'

/** What goes wrong on the way to Kafka. Released codes are never renamed or reused. */
export const kafkaErrors = {
  SMG_KAFKA_BAD_SETTING: createError('SMG_KAFKA_BAD_SETTING', '%s: %s', 500),
  SMG_KAFKA_UNAVAILABLE: createError('SMG_KAFKA_UNAVAILABLE', 'Kafka does not answer: %s', 503),
  /** Certainly not written. */
  SMG_KAFKA_TIMEOUT: createError('SMG_KAFKA_TIMEOUT', 'Not sent within %s ms, and withdrawn', 503),
  /** By who gave it. Certainly not written. */
  SMG_KAFKA_WITHDRAWN: createError('SMG_KAFKA_WITHDRAWN', 'Withdrawn before it was sent', 503),
  /** Written or not: a copy may still appear. */
  SMG_KAFKA_UNKNOWN_OUTCOME: createError('SMG_KAFKA_UNKNOWN_OUTCOME', 'Sent, and not acknowledged: %s', 503),
  SMG_KAFKA_QUEUE_FULL: createError('SMG_KAFKA_QUEUE_FULL', 'More than %s bytes wait for Kafka', 503),
  SMG_KAFKA_CLOSED: createError('SMG_KAFKA_CLOSED', 'The link to Kafka is closed', 503),
  SMG_KAFKA_STALLED: createError('SMG_KAFKA_STALLED', 'Nothing was fetched for %s ms', 503),
  SMG_KAFKA_NO_TOPIC: createError('SMG_KAFKA_NO_TOPIC', 'Kafka has no topic %s', 503),
  SMG_KAFKA_TOO_LARGE: createError('SMG_KAFKA_TOO_LARGE', 'The record is larger than topic %s takes', 413),
  SMG_KAFKA_BAD_RECORD: createError('SMG_KAFKA_BAD_RECORD', 'The record cannot be written: %s', 500),
  SMG_KAFKA_REFUSED: createError('SMG_KAFKA_REFUSED', 'Kafka refuses: %s', 503),
  SMG_KAFKA_TOPIC_CREATE: createError('SMG_KAFKA_TOPIC_CREATE', 'Topic %s cannot be made: %s', 500),
  SMG_KAFKA_TOPICS_MISSING: createError(
    'SMG_KAFKA_TOPICS_MISSING',
    'Kafka has no topic %s: make them, or set TOPIC_CREATE=true',
    500
  )
} as const
