import { createError } from '@fastify/error'

/** What goes wrong in the gateway. A code that was released is never renamed, reused or given another meaning. */
export const gatewayErrors = {
  SMG_GATEWAY_BAD_SETTING: createError('SMG_GATEWAY_BAD_SETTING', '%s is %s; it may be %s', 500),
  SMG_GATEWAY_PORT_TAKEN: createError('SMG_GATEWAY_PORT_TAKEN', 'HOST and PORT, %s:%s, cannot be listened on: %s', 500),
  SMG_GATEWAY_INVALID: createError('SMG_GATEWAY_INVALID', 'The request is not valid: %s', 400),
  SMG_GATEWAY_MALFORMED: createError('SMG_GATEWAY_MALFORMED', 'The request is not HTTP that can be read: %s', 400),
  SMG_GATEWAY_BATCH_REFUSED: createError('SMG_GATEWAY_BATCH_REFUSED', 'None of the events was accepted', 400),
  SMG_GATEWAY_UNAUTHENTICATED: createError('SMG_GATEWAY_UNAUTHENTICATED', 'A valid bearer token is needed', 401),
  SMG_GATEWAY_FORBIDDEN: createError('SMG_GATEWAY_FORBIDDEN', 'The token does not allow this', 403),
  SMG_GATEWAY_NO_ROUTE: createError('SMG_GATEWAY_NO_ROUTE', 'There is nothing here', 404),
  SMG_GATEWAY_NO_TOPIC: createError('SMG_GATEWAY_NO_TOPIC', 'There is no function of topic %s', 404),
  SMG_GATEWAY_NO_MESSAGE: createError('SMG_GATEWAY_NO_MESSAGE', 'No event %s is settled', 404),
  SMG_GATEWAY_NO_DEAD_LETTER: createError('SMG_GATEWAY_NO_DEAD_LETTER', 'There is no dead letter %s', 404),
  SMG_GATEWAY_METHOD: createError('SMG_GATEWAY_METHOD', 'The method %s is not allowed here', 405),
  SMG_GATEWAY_KEY_IN_FLIGHT: createError(
    'SMG_GATEWAY_KEY_IN_FLIGHT',
    'A request with this Idempotency-Key is being answered: send it again after Retry-After',
    409
  ),
  SMG_GATEWAY_OLDER_DEAD: createError(
    'SMG_GATEWAY_OLDER_DEAD',
    'Dead letter %s is older, has the same key and is still dead: redrive or discard it first, or overtake it',
    409
  ),
  SMG_GATEWAY_DEAD_LETTER_STATE: createError(
    'SMG_GATEWAY_DEAD_LETTER_STATE',
    'Dead letter %s is %s: this cannot be done with it',
    409
  ),
  SMG_GATEWAY_POSITION_BUSY: createError(
    'SMG_GATEWAY_POSITION_BUSY',
    'A runner holds a position of topic %s for long: nothing was moved',
    409
  ),
  SMG_GATEWAY_OTHER_GROUP: createError(
    'SMG_GATEWAY_OTHER_GROUP',
    'The positions of topic %s are those of group %s, and GROUP_PREFIX of this gateway makes it %s: nothing was moved',
    409
  ),
  SMG_GATEWAY_KEY_REUSED: createError(
    'SMG_GATEWAY_KEY_REUSED',
    'This Idempotency-Key was used for another request: give a new request a new one',
    422
  ),
  SMG_GATEWAY_SLOW: createError('SMG_GATEWAY_SLOW', 'The request did not arrive in time', 408),
  SMG_GATEWAY_TOO_LARGE: createError('SMG_GATEWAY_TOO_LARGE', 'More than the %s bytes that are allowed', 413),
  SMG_GATEWAY_TOO_MANY_EVENTS: createError(
    'SMG_GATEWAY_TOO_MANY_EVENTS',
    'More than the %s events that are allowed',
    413
  ),
  SMG_GATEWAY_TOPIC_TOO_SMALL: createError(
    'SMG_GATEWAY_TOPIC_TOO_SMALL',
    'The record is larger than the max.message.bytes of topic %s',
    413
  ),
  SMG_GATEWAY_URL_TOO_LONG: createError('SMG_GATEWAY_URL_TOO_LONG', 'A part of the path is too long', 414),
  SMG_GATEWAY_MEDIA_TYPE: createError(
    'SMG_GATEWAY_MEDIA_TYPE',
    'A body is application/json, for a batch also application/x-ndjson, in UTF-8 and not compressed',
    415
  ),
  SMG_GATEWAY_EXPECTATION: createError('SMG_GATEWAY_EXPECTATION', 'Only 100-continue can be expected', 417),
  SMG_GATEWAY_RATE_LIMIT: createError('SMG_GATEWAY_RATE_LIMIT', 'The limit of %s is used up', 429),
  SMG_GATEWAY_HEADERS_TOO_LARGE: createError('SMG_GATEWAY_HEADERS_TOO_LARGE', 'The header fields are too large', 431),
  SMG_GATEWAY_INTERNAL: createError('SMG_GATEWAY_INTERNAL', 'Something went wrong here; the log knows more', 500),
  SMG_GATEWAY_KAFKA_AWAY: createError('SMG_GATEWAY_KAFKA_AWAY', 'Kafka does not answer in time', 503),
  SMG_GATEWAY_NOT_ACKNOWLEDGED: createError(
    'SMG_GATEWAY_NOT_ACKNOWLEDGED',
    'Kafka did not acknowledge the event in time: it may be written or not',
    503
  ),
  SMG_GATEWAY_DATABASE_AWAY: createError('SMG_GATEWAY_DATABASE_AWAY', 'PostgreSQL does not answer in time', 503),
  SMG_GATEWAY_WEBHOOK_REFUSED: createError('SMG_GATEWAY_WEBHOOK_REFUSED', 'The webhook answered with %s', 502),
  SMG_GATEWAY_WEBHOOK_PRIVATE: createError(
    'SMG_GATEWAY_WEBHOOK_PRIVATE',
    'The address of the webhook is not public',
    502
  ),
  SMG_GATEWAY_CLOSING: createError('SMG_GATEWAY_CLOSING', 'The gateway stops, and reads no further', 503),
  SMG_GATEWAY_OVERLOADED: createError('SMG_GATEWAY_OVERLOADED', 'Too much is waiting already', 503)
} as const

/** What a catalogued error may carry beside its code, status and text. */
export interface ProblemExtras {
  /** For validation: the places and the rules they break. */
  readonly faults?: readonly { path: string; message: string }[]
  /** For a batch: what became of each event. */
  readonly results?: readonly object[]
  readonly retryAfterSeconds?: number
  /** Names of limits that were hit. */
  readonly violatedPolicies?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** Gives an error of a catalogue what its problem needs to say more. */
export function withExtras<E extends Error>(error: E, extras: ProblemExtras): E & ProblemExtras {
  return Object.assign(error, extras)
}
