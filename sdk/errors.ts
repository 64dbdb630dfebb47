import { createError } from '@fastify/error'

/** What goes wrong around a function: its file, its settings, its record. Released codes are never renamed or reused. */
export const sdkErrors = {
  SMG_SDK_BAD_SETTING: createError('SMG_SDK_BAD_SETTING', '%s is %s; it may be %s', 500),
  SMG_SDK_BAD_FILE: createError('SMG_SDK_BAD_FILE', '%s: %s: %s', 500),
  SMG_SDK_BAD_TOPIC: createError('SMG_SDK_BAD_TOPIC', '%s: topic: %s', 500),
  SMG_SDK_TOPIC_TWICE: createError(
    'SMG_SDK_TOPIC_TWICE',
    '%s and %s are both the function of topic %s: remove one',
    500
  ),
  SMG_SDK_NO_FUNCTIONS: createError('SMG_SDK_NO_FUNCTIONS', 'The folder of the functions cannot be read: %s', 500),
  SMG_SDK_UNKNOWN_FUNCTION: createError(
    'SMG_SDK_UNKNOWN_FUNCTION',
    'FUNCTIONS names %s, and there is no such file: there are %s',
    500
  ),
  SMG_SDK_BAD_JSON: createError('SMG_SDK_BAD_JSON', 'The value is not JSON that can be stored: %s', 422),
  SMG_SDK_BAD_EVENT: createError('SMG_SDK_BAD_EVENT', 'The event breaks its schema at %s: %s', 422),
  SMG_SDK_TIMEOUT: createError('SMG_SDK_TIMEOUT', 'No answer from the function within %s ms', 504),
  SMG_SDK_EXPIRED: createError('SMG_SDK_EXPIRED', 'The record is older than its maxAgeMs of %s ms', 422),
  SMG_SDK_BAD_ROW: createError(
    'SMG_SDK_BAD_ROW',
    'The function gave %s, and not a row, a list of rows or nothing',
    500
  ),
  SMG_SDK_BAD_PUBLISH: createError('SMG_SDK_BAD_PUBLISH', 'The event for topic %s cannot be published: %s', 422),
  SMG_SDK_SETTLED: createError(
    'SMG_SDK_SETTLED',
    'This attempt is over: it can neither write nor publish any more',
    500
  ),
  SMG_SDK_THROWN: createError('SMG_SDK_THROWN', 'The function threw %s', 500)
} as const
