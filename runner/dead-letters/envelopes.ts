import type { FetchedRecord, HeaderList } from '../../kafka/types.ts'
import type { Recognised } from './dialects.ts'

/** A dead letter as it was taken out of what carried it. */
export interface Unwrapped {
  readonly record: Pick<FetchedRecord, 'key' | 'value' | 'timestampMs'>
  readonly recognised: Recognised
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Takes dead letters out of a JSON envelope: of kafka-hooks, which carries one, or of AWS Lambda, which carries those of a
 * batch. Null when the value is neither.
 */
export function unwrap({ value, timestampMs }: FetchedRecord): Unwrapped[] | null {
  const envelope = parse(value)
  if (envelope === null) return null
  if (isRecord(envelope) && Array.isArray(envelope.errors)) return [fromKafkaHooks(envelope, timestampMs)]

  const payload = asFields(envelope.payload) ?? envelope
  const partitions = Object.values(asFields(payload.records) ?? {})
  const records = partitions.flatMap(each => (Array.isArray(each) ? each.map(asFields) : []))
  if (records.length === 0 || !records.every(record => record !== null && isRecord(record))) return null
  return (records as Fields[]).map(record => fromLambda(record, envelope, timestampMs))
}

function parse(value: Buffer | null): Fields | null {
  if (value === null) return null
  try {
    return asFields(JSON.parse(value.toString('utf8')))
  } catch {
    return null // not JSON: no envelope
  }
}

function isRecord({ topic, partition, offset, value }: Fields): boolean {
  const isOffset = typeof offset === 'number' || (typeof offset === 'string' && /^\d{1,19}$/.test(offset))
  const isValue = value === null || value === undefined || typeof value === 'string'
  return typeof topic === 'string' && Number.isInteger(partition) && isOffset && isValue
}

function fromKafkaHooks(envelope: Fields, timestampMs: number): Unwrapped {
  const { key, value, headers, errors, retries } = envelope
  const error = asFields((errors as unknown[]).at(-1)) ?? {}
  const list = Object.entries(asFields(headers) ?? {}).map(([name, text]) => [name, Buffer.from(String(text))] as const)
  return {
    record: { key: typeof key === 'string' ? Buffer.from(key) : null, value: toBytes(value), timestampMs },
    recognised: {
      dialect: 'kafka-hooks',
      origin: toOrigin(envelope, { attempts: retries, timestampMs: null, more: {} }),
      error: {
        name: toText(error.code) ?? toText(error.name),
        message: toText(error.message),
        stack: toText(error.stack)
      },
      headers: list
    }
  }
}

function fromLambda(record: Fields, envelope: Fields, timestampMs: number): Unwrapped {
  const context = asFields(envelope.requestContext) ?? {}
  const response = asFields(envelope.responseContext) ?? {}
  const stamped = Number.isSafeInteger(record.timestamp) ? Number(record.timestamp) : null
  const facts = { arn: context.functionArn, condition: context.condition, request: context.requestId }
  const more = Object.entries(facts).filter(([, text]) => typeof text === 'string') as [string, string][]
  return {
    record: { key: toBytes(record.key), value: toBytes(record.value), timestampMs: stamped ?? timestampMs },
    recognised: {
      dialect: 'lambda',
      origin: toOrigin(record, {
        attempts: context.approximateInvokeCount,
        timestampMs: stamped,
        more: Object.fromEntries(more)
      }),
      error: { name: toText(response.functionError), message: toText(context.condition), stack: null },
      headers: toHeaders(record.headers)
    }
  }
}

function toOrigin(
  { topic, partition, offset }: Fields,
  rest: { attempts: unknown; timestampMs: number | null; more: Readonly<Record<string, string>> }
) {
  const attempts = Number.isInteger(rest.attempts) ? Number(rest.attempts) : null
  return { ...rest, topic: String(topic), partition: Number(partition), offset: String(offset), group: null, attempts }
}

// Lambda gives each header as an object of one name and its bytes as numbers.
function toHeaders(headers: unknown): HeaderList {
  if (!Array.isArray(headers)) return []
  return headers.flatMap(header =>
    Object.entries(asFields(header) ?? {}).map(
      ([name, bytes]) => [name, Array.isArray(bytes) ? Buffer.from(bytes.map(Number)) : null] as const
    )
  )
}

function toBytes(base64: unknown): Buffer | null {
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : null
}

function toText(given: unknown): string | null {
  return typeof given === 'string' && given !== '' ? given : null
}

function asFields(given: unknown): Fields | null {
  return typeof given === 'object' && given !== null && !Array.isArray(given) ? (given as Fields) : null
}
