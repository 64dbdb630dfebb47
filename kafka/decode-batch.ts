import type { FetchedRecord, HeaderList } from './types.ts'

/** The part of KafkaJS's decoder that this uses: a view on an answer, and a place in it. */
interface AnswerDecoder {
  readonly buffer: Buffer
  readonly offset: number
  forward(bytes: number): void
}

interface Codec {
  decompress(bytes: Buffer): Promise<Buffer>
}

/** What the records of one batch have in common, as KafkaJS names it. */
interface BatchContext {
  readonly firstOffset: string
  readonly inTransaction: boolean
  readonly isControlBatch: boolean
  readonly producerId: string
}

/** A record as KafkaJS's consumer needs it and as this room gives it on: none has to be made of the other. */
export class DecodedRecord implements FetchedRecord {
  readonly offset: string
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: HeaderList
  readonly batchContext: BatchContext

  constructor({ offset, timestampMs, key, value, headers }: FetchedRecord, batchContext: BatchContext) {
    this.offset = offset
    this.timestampMs = timestampMs
    this.key = key
    this.value = value
    this.headers = headers
    this.batchContext = batchContext
  }

  get isControlRecord(): boolean {
    return this.batchContext.isControlBatch
  }
}

// https://kafka.apache.org/documentation/#recordbatch: after the first offset (8 bytes) and the length (4).
const HEAD_BYTES = 12
const ATTRIBUTES = 9
const LAST_DELTA = 11
const FIRST_TIMESTAMP = 15
const MAX_TIMESTAMP = 23
const PRODUCER_ID = 31
const COUNT = 45
const RECORDS = 49
/** Of an offset within its batch. */
const MAX_DELTA = 2 ** 31
const IS_LOG_APPEND_TIME = 0x08
const IS_IN_TRANSACTION = 0x10
const IS_CONTROL = 0x20
/** Seven bytes of a number, of seven bits each, add up exactly. */
const EXACT = 2 ** 49

type Header = HeaderList[number]

/**
 * Decodes a record batch: in one pass, with one copy of its bytes instead of one for each key, value and header. Headers
 * keep their order, their repetitions and any name.
 *
 * @param toCodec of the attributes; null: not compressed
 * @param toPartialError for a batch that the answer holds in part only, which KafkaJS steps over
 * @throws Error when a record does not end where its length says
 */
export async function decodeBatch(
  answer: AnswerDecoder,
  toCodec: (attributes: number) => Codec | null,
  toPartialError: (message: string) => Error
): Promise<{ records: DecodedRecord[] }> {
  const { buffer, offset: start } = answer
  const length = buffer.readInt32BE(start + 8)
  const body = start + HEAD_BYTES
  if (length < RECORDS) throw new Error(`a record batch says that it is ${length} bytes long`)
  answer.forward(HEAD_BYTES + length)
  if (buffer.length - body < length)
    throw toPartialError(`${buffer.length - body} of ${length} bytes of a record batch`)

  const attributes = buffer.readInt16BE(body + ATTRIBUTES)
  const firstOffset = buffer.readBigInt64BE(start)
  const isStampedByLog = (attributes & IS_LOG_APPEND_TIME) > 0
  const context: BatchContext = {
    firstOffset: String(firstOffset),
    inTransaction: (attributes & IS_IN_TRANSACTION) > 0,
    isControlBatch: (attributes & IS_CONTROL) > 0,
    producerId: String(buffer.readBigInt64BE(body + PRODUCER_ID))
  }
  const count = buffer.readInt32BE(body + COUNT)
  // What is not there is not decompressed.
  if (count <= 0) return { records: [toMarker(firstOffset + BigInt(buffer.readInt32BE(body + LAST_DELTA)), context)] }
  const stamp = buffer.readBigInt64BE(body + (isStampedByLog ? MAX_TIMESTAMP : FIRST_TIMESTAMP))
  const packed = buffer.subarray(body + RECORDS, body + length)
  const codec = toCodec(attributes)
  // A copy, for the answer is much larger and would be kept by each of them.
  const bytes = codec ? await codec.decompress(packed) : Buffer.from(packed)
  return {
    records: decodeRecords(bytes, count, { firstOffset, toTimestampMs: toClock(stamp, isStampedByLog), context })
  }
}

/**
 * Times are exact where a number can be, and rounded once where it cannot, such as in nanoseconds: from them come ids, and
 * compaction may give the same record another batch.
 */
function toClock(stamp: bigint, isStampedByLog: boolean): (delta: bigint | number) => number {
  const stamped = Number(stamp)
  if (isStampedByLog) return () => stamped
  return delta => {
    const sum = typeof delta === 'number' ? stamped + delta : Number.NaN
    const isExact = Number.isSafeInteger(stamped) && Number.isSafeInteger(sum)
    return isExact ? sum : Number(BigInt.asIntN(64, stamp + BigInt(delta)))
  }
}

/**
 * Stands for a batch of which compaction has left nothing: like a control record, it is stepped over and never given on.
 * KafkaJS decodes nothing then, and at the end of a log asks for the same batch for ever.
 */
function toMarker(offset: bigint, context: BatchContext): DecodedRecord {
  const nothing = { timestampMs: -1, key: null, value: null, headers: [] }
  return new DecodedRecord({ offset: String(offset), ...nothing }, { ...context, isControlBatch: true })
}

interface Parts {
  readonly firstOffset: bigint
  readonly toTimestampMs: (delta: bigint | number) => number
  readonly context: BatchContext
}

function decodeRecords(bytes: Buffer, count: number, { firstOffset, toTimestampMs, context }: Parts): DecodedRecord[] {
  const records: DecodedRecord[] = []
  const isExact = firstOffset < BigInt(Number.MAX_SAFE_INTEGER) - BigInt(MAX_DELTA)
  const base = Number(firstOffset)
  let at = 0
  let before: HeaderList = []

  // Records of one producer carry the same headers but for one or two: what is the same is made once.
  function readHeaders(): HeaderList {
    const headers: Header[] = []
    const size = readVarInt()
    // Two bytes each, at least: one batch that lies must not fill the memory.
    if (size > (bytes.length - at) / 2) throw new Error(`a record says that it has ${size} headers`)
    for (let index = 0; index < size; index += 1) {
      const name = readBytes() ?? bytes.subarray(0, 0)
      const value = readBytes()
      const last = before[index]
      const isSameName = last !== undefined && isText(name, last[0])
      if (isSameName && isSame(value, last[1])) headers.push(last)
      else headers.push([isSameName ? last[0] : name.toString('utf8'), value])
    }
    before = headers
    return headers
  }

  function readBytes(): Buffer | null {
    const length = readVarInt()
    if (length < 0) return null
    const from = at
    at += length
    return bytes.subarray(from, at)
  }

  /** A number as it stands in KafkaJS's `VarInt` and `VarLong`; zigzag: the sign is the lowest bit. */
  function readVarLong(): bigint | number {
    let byte = bytes[at++] as number
    if (byte < 0x80) return byte & 1 ? -((byte + 1) >> 1) : byte >> 1
    let value = byte & 0x7f
    let factor = 0x80
    for (; byte >= 0x80 && factor < EXACT; factor *= 0x80) {
      byte = bytes[at++] as number
      value += (byte & 0x7f) * factor
    }
    if (byte >= 0x80) return readLong(value)
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  function readVarInt(): number {
    return Number(readVarLong())
  }

  /** Goes on with a number of more than seven bytes: a timestamp in another unit than milliseconds. */
  function readLong(start: number): bigint {
    let value = BigInt(start)
    for (let byte = 0x80, shift = 49n; byte >= 0x80; shift += 7n) {
      byte = bytes[at++] as number
      value |= BigInt(byte & 0x7f) << shift
    }
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
  }

  for (let index = 0; index < count; index += 1) {
    const size = readVarInt()
    const end = at + size
    if (end > bytes.length) throw new Error('a record batch ends within a record')
    at += 1 // attributes: none are in use
    const timestampMs = toTimestampMs(readVarLong())
    const delta = readVarInt()
    const offset = isExact ? String(base + delta) : String(firstOffset + BigInt(delta))
    const record = { offset, timestampMs, key: readBytes(), value: readBytes(), headers: readHeaders() }
    if (at !== end) throw new Error(`the record at offset ${offset} is damaged`)
    records.push(new DecodedRecord(record, context))
  }
  return records
}

/** Whether bytes are this text, of ASCII; no other is compared. */
function isText(bytes: Buffer, text: string): boolean {
  if (bytes.length !== text.length) return false
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] as number
    if (byte > 0x7f || byte !== text.charCodeAt(index)) return false
  }
  return true
}

function isSame(value: Buffer | null, other: Buffer | null): boolean {
  if (value === null || other === null) return value === other
  if (value.length !== other.length) return false
  for (let index = value.length - 1; index >= 0; index -= 1) if (value[index] !== other[index]) return false
  return true
}
