/**
 * Headers of a dead letter's copy in Kafka. The prefix and the first six are Apache's (KIP-1191); the others are ours, and
 * stand nowhere else, so that one which a later Kafka takes can be renamed here.
 *
 * @see https://cwiki.apache.org/confluence/display/KAFKA/KIP-1191
 */
export const DLQ_HEADERS = {
  topic: '__dlq.errors.topic',
  partition: '__dlq.errors.partition',
  offset: '__dlq.errors.offset',
  group: '__dlq.errors.group',
  attempts: '__dlq.errors.delivery.count',
  message: '__dlq.errors.message',
  errorName: '__dlq.errors.exception.class',
  stack: '__dlq.errors.stacktrace',
  stage: '__dlq.errors.stage',
  disposition: '__dlq.errors.disposition',
  failedAt: '__dlq.errors.failed.at',
  functionTopic: '__dlq.errors.function',
  eventId: '__dlq.errors.id',
  /** `value` when the copy had no room for it: the row holds all. */
  truncated: '__dlq.errors.truncated'
} as const

/** What all of them begin with. */
export const DLQ_PREFIX = '__dlq.errors.'

const MAX_PARTITION = 2n ** 31n - 1n
const MAX_OFFSET = 2n ** 63n - 1n

/** Reads a partition, as text or as a big-endian number of 4 or 8 bytes; null when it is none. */
export function parsePartition(bytes: Buffer | null | undefined): number | null {
  const number = parseWhole(bytes)
  return number === null || number > MAX_PARTITION ? null : Number(number)
}

/** Reads an offset or a time as `parsePartition` does; a decimal string. */
export function parseOffset(bytes: Buffer | null | undefined): string | null {
  const number = parseWhole(bytes)
  return number === null || number > MAX_OFFSET ? null : String(number)
}

// Text first: as a number, four digits of ASCII would be a partition beyond all that exist.
function parseWhole(bytes: Buffer | null | undefined): bigint | null {
  if (!bytes) return null
  const text = bytes.toString('latin1').trim()
  if (/^\d{1,19}$/.test(text)) return BigInt(text)

  const number = bytes.length === 4 ? BigInt(bytes.readInt32BE()) : bytes.length === 8 ? bytes.readBigInt64BE() : -1n
  return number < 0n ? null : number
}
