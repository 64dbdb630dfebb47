import { kafkaErrors } from './errors.ts'
import { canListHeaders } from './kafkajs.ts'
import type { HeaderList, OutgoingRecord } from './types.ts'

// What a record and its batch take besides key, value and headers, at most.
const OVERHEAD_BYTES = 32
const HEADER_OVERHEAD_BYTES = 4

/** Bytes of a record in a batch, about: never less. */
export function sizeOf({ key, value, headers, headerList }: OutgoingRecord): number {
  let bytes = OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)

  if (headerList) {
    for (const [name, header] of headerList) bytes += HEADER_OVERHEAD_BYTES + name.length * 3 + (header?.length ?? 0)
    return bytes
  }
  for (const name in headers) {
    const header = headers[name] as string | Buffer
    // A UTF-16 unit has three bytes at most in UTF-8.
    bytes += HEADER_OVERHEAD_BYTES + name.length * 3 + (typeof header === 'string' ? header.length * 3 : header.length)
  }
  return bytes
}

/**
 * Gives what is wrong with a record, which the type forbids and JavaScript does not. In KafkaJS one such record throws a
 * TypeError for its whole batch.
 */
export function findFlaw({
  partition,
  key,
  value,
  headers,
  headerList,
  timestampMs
}: OutgoingRecord): Error | undefined {
  const { SMG_KAFKA_BAD_RECORD } = kafkaErrors
  if (!Number.isInteger(partition) || partition < 0) return new SMG_KAFKA_BAD_RECORD(`partition ${partition}`)
  if (!Number.isInteger(timestampMs) || timestampMs < 0) return new SMG_KAFKA_BAD_RECORD(`timestamp ${timestampMs}`)
  if (key !== null && !Buffer.isBuffer(key)) return new SMG_KAFKA_BAD_RECORD('its key is no Buffer')
  if (value !== null && !Buffer.isBuffer(value)) return new SMG_KAFKA_BAD_RECORD('its value is no Buffer')

  if (headerList) return findListFlaw(headerList)
  for (const name in headers) {
    const header: unknown = headers[name]
    if (typeof header !== 'string' && !Buffer.isBuffer(header)) {
      return new SMG_KAFKA_BAD_RECORD(`its header ${name} is neither text nor Buffer`)
    }
  }
  return undefined
}

function findListFlaw(headers: HeaderList): Error | undefined {
  const { SMG_KAFKA_BAD_RECORD } = kafkaErrors
  if (!canListHeaders()) return new SMG_KAFKA_BAD_RECORD('this release of KafkaJS cannot write a list of headers')

  for (const [name, header] of headers as readonly (readonly unknown[])[]) {
    if (typeof name !== 'string') return new SMG_KAFKA_BAD_RECORD('a header has no name')
    if (header !== null && !Buffer.isBuffer(header))
      return new SMG_KAFKA_BAD_RECORD(`its header ${name} is neither null nor Buffer`)
  }
  return undefined
}
