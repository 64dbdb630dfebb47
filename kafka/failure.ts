import { kafkaErrors } from './errors.ts'

/**
 * Whose fault a failed request is: `size` and `record` concern one record and are found by bisection, `topic` means that
 * there is none, `refused` will not change by waiting, all else is the world's and passes.
 */
export type FailureKind = 'size' | 'record' | 'topic' | 'refused' | 'world'

// Names of https://kafka.apache.org/protocol#protocol_error_codes.
const KINDS = new Map<string, FailureKind>([
  ['MESSAGE_TOO_LARGE', 'size'],
  ['RECORD_LIST_TOO_LARGE', 'size'],
  ['INVALID_RECORD', 'record'],
  ['INVALID_TIMESTAMP', 'record'],
  ['UNKNOWN_TOPIC_OR_PARTITION', 'topic'],
  ['INVALID_TOPIC_EXCEPTION', 'refused'],
  ['TOPIC_AUTHORIZATION_FAILED', 'refused'],
  ['GROUP_AUTHORIZATION_FAILED', 'refused'],
  ['CLUSTER_AUTHORIZATION_FAILED', 'refused'],
  ['INVALID_REQUIRED_ACKS', 'refused'],
  ['INVALID_REQUEST', 'refused'],
  ['INVALID_CONFIG', 'refused'],
  ['INVALID_REPLICATION_FACTOR', 'refused'],
  ['INVALID_PARTITIONS', 'refused'],
  ['POLICY_VIOLATION', 'refused'],
  ['UNSUPPORTED_VERSION', 'refused'],
  ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 'refused'],
  ['UNSUPPORTED_COMPRESSION_TYPE', 'refused']
])

// A producer of KafkaJS that met one of these asks for the sick topic again with every later send.
const POISONS = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'INVALID_TOPIC_EXCEPTION'])

// Of a cluster that has just begun, and whenever a broker goes or comes: whoever asks is to ask again.
const NOT_READY = new Set(['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE'])

/** Gives Kafka's name of an error, however deep KafkaJS wrapped it; undefined when no broker said it. */
export function findErrorType(error: unknown): string | undefined {
  // Ten links at most: an error may be its own cause.
  for (let link = error, depth = 0; link instanceof Error && depth < 10; link = link.cause, depth += 1) {
    if ('type' in link && typeof link.type === 'string') return link.type
  }
  return undefined
}

/** Says whose fault a failed request is. */
export function toFailureKind(error: unknown): FailureKind {
  return KINDS.get(findErrorType(error) ?? '') ?? 'world'
}

/** Whether the failure sticks to the producer that met it: it must be made anew. */
export function isPoison(error: unknown): boolean {
  return (
    POISONS.has(findErrorType(error) ?? '') || (error instanceof Error && error.name === 'KafkaJSMetadataNotLoaded')
  )
}

/** Whether a group's coordinator is not there yet: it loads, or none has been chosen. That passes by itself, in seconds. */
export function isCoordinatorLoading(error: unknown): boolean {
  return NOT_READY.has(findErrorType(error) ?? '')
}

/** Translates an error of KafkaJS into one of `kafkaErrors`, with its cause; `topic` names what was asked for. */
export function toKafkaError(error: unknown, topic = ''): Error {
  if (isKafkaError(error)) return error
  const options = { cause: error }

  switch (toFailureKind(error)) {
    case 'size':
      return new kafkaErrors.SMG_KAFKA_TOO_LARGE(topic, options)
    case 'topic':
      return new kafkaErrors.SMG_KAFKA_NO_TOPIC(topic, options)
    case 'world':
      return new kafkaErrors.SMG_KAFKA_UNAVAILABLE(toMessage(error), options)
    default:
      return new kafkaErrors.SMG_KAFKA_REFUSED(toMessage(error), options)
  }
}

function isKafkaError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code) in kafkaErrors
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
