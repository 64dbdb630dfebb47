import { toEncoder, toProtocolError, type WireRequest } from './kafkajs-internals.ts'

/**
 * Reads Kafka's flexible wire format (KIP-482) from the first byte on. Strings and arrays may be null where the
 * protocol says so.
 */
export function createReader(bytes: Buffer) {
  let at = 0

  function take(size: number): number {
    at += size
    return at - size
  }
  function uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(take(1))
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
  }
  function string(): string | null {
    const size = uvarint()
    if (size === 0) return null
    const from = take(size - 1)
    return bytes.toString('utf8', from, at)
  }
  /** Steps over tagged fields: what a later release added. */
  function tags(): void {
    for (let left = uvarint(); left > 0; left -= 1) {
      uvarint()
      take(uvarint())
    }
  }
  function array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(uvarint() - 1, 0) }, read)
  }
  return {
    int16: () => bytes.readInt16BE(take(2)),
    int32: () => bytes.readInt32BE(take(4)),
    int64: () => bytes.readBigInt64BE(take(8)),
    boolean: () => bytes.readInt8(take(1)) !== 0,
    /** In the form of eight, four, four, four and twelve digits. */
    uuid: () => {
      const hex = bytes.toString('hex', take(16), at)
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    },
    string,
    tags,
    array,
    /** An array whose items end in tagged fields. */
    structs: <T>(read: () => T) =>
      array(() => {
        const item = read()
        tags()
        return item
      })
  }
}

/** What `createReader` gives. */
export type Reader = ReturnType<typeof createReader>

/** Writes an unsigned number in groups of seven bits. */
export function toUvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value >>> 0
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** Writes a text with its length. */
export function toCompactString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([toUvarint(bytes.length + 1), bytes])
}

/** Makes a request of a flexible version; `read` starts at the body of the answer. */
export function toWireRequest<T>(
  { apiKey, apiVersion, apiName }: { apiKey: number; apiVersion: number; apiName: string },
  body: Buffer,
  read: (reader: Reader) => T
): WireRequest<T> {
  const noTags = toUvarint(0)
  return {
    request: { apiKey, apiVersion, apiName, encode: async () => toEncoder(Buffer.concat([noTags, body, noTags])) },
    response: {
      decode: async raw => {
        const reader = createReader(raw)
        reader.tags()
        return read(reader)
      },
      parse: async decoded => decoded
    }
  }
}

/** @throws KafkaJS's error when a broker answered with an error code */
export function checkErrorCode(errorCode: number): void {
  if (errorCode !== 0) throw toProtocolError(errorCode)
}
