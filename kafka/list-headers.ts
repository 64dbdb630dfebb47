import { PATCHED_VERSION } from './patches.ts'
import type { HeaderList } from './types.ts'

interface Encoder {
  writeVarInt(value: number): Encoder
  writeVarLong(value: number): Encoder
  writeInt8(value: number): Encoder
  writeVarIntString(text: string): Encoder
  writeVarIntBytes(bytes: Buffer | null): Encoder
  writeEncoder(encoder: Encoder): Encoder
  size(): number
}

interface Encoded {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** By name, as KafkaJS takes them, or a list. */
  readonly headers: object
}

type EncodeRecord = (record: Encoded) => Encoder

/**
 * Builds an encoder of records that takes headers as a list, too. KafkaJS's own takes an object, which loses the order of
 * a repeated name, and it throws a TypeError for a value that is null, which Kafka allows.
 *
 * @see https://kafka.apache.org/documentation/#record
 */
function createRecordEncoder(encode: EncodeRecord, createEncoder: () => Encoder): EncodeRecord {
  return record => {
    const { offsetDelta = 0, timestampDelta = 0, key, value, headers } = record
    if (!Array.isArray(headers)) return encode(record)

    const body = createEncoder()
      .writeInt8(0) // attributes: none are in use
      .writeVarLong(timestampDelta)
      .writeVarInt(offsetDelta)
      .writeVarIntBytes(key)
      .writeVarIntBytes(value)
      .writeVarInt(headers.length)
    for (const [name, header] of headers as HeaderList) body.writeVarIntString(name).writeVarIntBytes(header)
    return createEncoder().writeVarInt(body.size()).writeEncoder(body)
  }
}

/**
 * Teaches KafkaJS lists of headers. Must run before `kafkajs` itself is first required.
 *
 * @returns whether it did; not on any other release than the one that it was written for
 */
export function listHeaders(require: NodeJS.Require): boolean {
  const { version }: { version: string } = require('kafkajs/package.json')
  if (version !== PATCHED_VERSION) return false

  const Encoder: new () => Encoder = require('kafkajs/src/protocol/encoder')
  const path = require.resolve('kafkajs/src/protocol/recordBatch/record/v0')
  const encode: EncodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0')
  const loaded = require.cache[path]
  if (!loaded) return false
  loaded.exports = createRecordEncoder(encode, () => new Encoder())
  return true
}
