import { crc32c } from './crc32c.ts'
import type { HeaderList } from './types.ts'

type Bytes = Buffer | string | null | undefined

/** A record as KafkaJS's producer is given it. */
export interface EncodableRecord {
  readonly key?: Bytes
  readonly value?: Bytes
  /** By name, several values of one as an array; or a list, for a record that is copied as it is. */
  readonly headers?: Readonly<Record<string, Bytes | readonly Bytes[]>> | HeaderList | undefined
  /** Epoch in milliseconds; without one the record is of now. */
  readonly timestamp?: string | number | null | undefined
}

/** What a batch says of its producer; -1, 0 and 0 where that is not idempotent. */
export interface BatchProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly firstSequence: number
}

interface Packing {
  /** Its number in the attributes. */
  readonly compression: number
  /** Null: not compressed. */
  readonly codec: { compress(encoder: { readonly buffer: Buffer }): Promise<Buffer> } | null
}

// https://kafka.apache.org/documentation/#recordbatch; the offsets of `decode-batch.ts` count from the end of the length.
const LENGTH = 8
const MAGIC = 16
const CRC = 17
const ATTRIBUTES = 21
const LAST_OFFSET_DELTA = 23
const FIRST_TIMESTAMP = 27
const MAX_TIMESTAMP = 35
const PRODUCER_ID = 43
const PRODUCER_EPOCH = 51
const FIRST_SEQUENCE = 53
const COUNT = 57
const RECORDS = 61
/** Length, attributes, two deltas, and the lengths of key, value and headers, at most. */
const RECORD_BYTES = 5 + 1 + 10 + 5 + 5 + 5 + 5
const HEADER_BYTES = 5 + 5
/** A UTF-16 unit has three bytes at most in UTF-8. */
const UNIT_BYTES = 3
/** Numbers below this are written with the operators of 32 bits. */
const SMALL = 2 ** 30

/** Encodes a record batch in one pass over its records: every byte is what KafkaJS writes, for headers that inherit nothing. */
export async function encodeBatch(
  records: readonly EncodableRecord[],
  { producerId, producerEpoch, firstSequence }: BatchProducer,
  { compression, codec }: Packing
): Promise<Buffer> {
  const nowMs = Date.now()
  const times = records.map(({ timestamp }) => (timestamp ? Number(timestamp) : nowMs))
  const first = times.reduce((least, time) => Math.min(least, time), times[0] ?? nowMs)
  const last = times.reduce((most, time) => Math.max(most, time), first)
  const plain = encodeRecords(records, times, first)
  const bytes = codec ? await pack(plain, codec) : plain

  bytes.fill(0, 0, RECORDS)
  bytes.writeInt32BE(bytes.length - LENGTH - 4, LENGTH)
  bytes[MAGIC] = 2
  bytes.writeInt16BE(compression, ATTRIBUTES)
  bytes.writeInt32BE(records.length - 1, LAST_OFFSET_DELTA)
  bytes.writeBigInt64BE(BigInt(first), FIRST_TIMESTAMP)
  bytes.writeBigInt64BE(BigInt(last), MAX_TIMESTAMP)
  bytes.writeBigInt64BE(producerId, PRODUCER_ID)
  bytes.writeInt16BE(producerEpoch, PRODUCER_EPOCH)
  bytes.writeInt32BE(firstSequence, FIRST_SEQUENCE)
  bytes.writeInt32BE(records.length, COUNT)
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CRC)
  return bytes
}

async function pack(plain: Buffer, codec: NonNullable<Packing['codec']>): Promise<Buffer> {
  return Buffer.concat([plain.subarray(0, RECORDS), await codec.compress({ buffer: plain.subarray(RECORDS) })])
}

/** Gives the records behind room for the head of their batch. */
function encodeRecords(records: readonly EncodableRecord[], times: readonly number[], firstMs: number): Buffer {
  const bounds = records.map(toBound)
  const bytes = Buffer.allocUnsafe(bounds.reduce((sum, bound) => sum + bound, RECORDS))
  let at = RECORDS

  function writeVarInt(value: number): void {
    if (value < -SMALL || value >= SMALL) {
      writeVarLong(value)
      return
    }
    let rest = value < 0 ? -2 * value - 1 : 2 * value
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
    bytes[at++] = rest
  }

  function writeVarLong(value: number): void {
    let rest = value < 0 ? -2 * value - 1 : 2 * value
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80
    bytes[at++] = rest
  }

  function writeBytes(value: Bytes): void {
    if (value === null || value === undefined) {
      writeVarInt(-1)
    } else if (typeof value === 'string') {
      writeText(value)
    } else {
      writeVarInt(value.length)
      bytes.set(value, at)
      at += value.length
    }
  }

  /** Most texts are short and ASCII: a call into Node costs more than they do. */
  function writeText(text: string): void {
    const start = at
    const { length } = text
    writeVarInt(length)
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) {
        at = start
        writeVarInt(Buffer.byteLength(text))
        at += bytes.write(text, at)
        return
      }
      bytes[at++] = unit
    }
  }

  function writeHeaders(headers: NonNullable<EncodableRecord['headers']>): void {
    if (isList(headers)) {
      writeVarInt(headers.length)
      for (const [name, value] of headers) writeHeader(name, value)
      return
    }
    let count = 0
    for (const name in headers) count += toValues(headers[name])?.length ?? 1
    writeVarInt(count)
    for (const name in headers) {
      const values = toValues(headers[name])
      if (values) for (const value of values) writeHeader(name, value)
      else writeHeader(name, headers[name] as Bytes)
    }
  }

  function writeHeader(name: string, value: Bytes): void {
    writeText(name)
    writeBytes(value)
  }

  records.forEach((record, index) => {
    const start = at
    // Room for the length, which is known afterwards; where it turns out shorter, the record moves up.
    const room = sizeOfVarInt(bounds[index] as number)
    at += room
    bytes[at++] = 0 // attributes: none are in use
    writeVarInt((times[index] as number) - firstMs)
    writeVarInt(index)
    writeBytes(record.key)
    writeBytes(record.value)
    writeHeaders(record.headers ?? {})

    const body = start + room
    const length = at - body
    at = start
    writeVarInt(length)
    if (at < body) bytes.copyWithin(at, body, body + length)
    at += length
  })
  return bytes.subarray(0, at)
}

/** Bytes of a record at most. */
function toBound({ key, value, headers = {} }: EncodableRecord): number {
  let bound = RECORD_BYTES + boundOf(key) + boundOf(value)
  if (isList(headers)) {
    for (const [name, header] of headers) bound += HEADER_BYTES + boundOf(name) + boundOf(header)
    return bound
  }
  for (const name in headers) {
    const values = toValues(headers[name])
    if (values) for (const header of values) bound += HEADER_BYTES + boundOf(name) + boundOf(header)
    else bound += HEADER_BYTES + boundOf(name) + boundOf(headers[name] as Bytes)
  }
  return bound
}

function boundOf(value: Bytes): number {
  if (value === null || value === undefined) return 0
  return typeof value === 'string' ? value.length * UNIT_BYTES : value.length
}

/** Of a number that is not negative. */
function sizeOfVarInt(value: number): number {
  if (value < 2 ** 6) return 1
  if (value < 2 ** 13) return 2
  if (value < 2 ** 20) return 3
  return value < 2 ** 27 ? 4 : 5
}

function isList(headers: NonNullable<EncodableRecord['headers']>): headers is HeaderList {
  return Array.isArray(headers)
}

/** Null for a header that is there once. */
function toValues(header: Bytes | readonly Bytes[]): readonly Bytes[] | null {
  return Array.isArray(header) ? header : null
}
