import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { decompress as decompressZstd } from 'fzstd'
import { kafkaErrors } from './errors.ts'

type KafkaJs = typeof import('kafkajs')
type Transform = (bytes: Buffer) => Promise<Buffer>

/** A word of PRODUCER_COMPRESSION. */
export type CodecName = 'none' | 'gzip' | 'zstd' | 'lz4' | 'snappy'

// Kafka's numbers, in the attributes of a record batch.
const TYPES = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

/** Both ways of a codec; `compress` is undefined where this Node can only read it. */
export interface Codec {
  readonly compress?: Transform | undefined
  readonly decompress: Transform
}

type ZstdCall = (bytes: Buffer, done: (error: Error | null, result: Buffer) => void) => void

/** The codecs that KafkaJS lacks; every record of a foreign producer is readable. Gzip is KafkaJS's own. */
export function createCodecs(node: object = zlib): Record<'zstd' | 'lz4' | 'snappy', Codec> {
  // zstd is in Node from 22.15; before, a decoder in JavaScript reads it and nothing writes it.
  const native = node as { zstdCompress?: ZstdCall; zstdDecompress?: ZstdCall }

  return {
    zstd: {
      compress: native.zstdCompress && promisify(native.zstdCompress),
      decompress: native.zstdDecompress
        ? promisify(native.zstdDecompress)
        : async bytes => Buffer.from(decompressZstd(bytes))
    },
    // Loaded by whoever needs it: each of the two native codecs takes 4 MB of a process.
    lz4: {
      compress: async bytes => (await import('lz4-napi')).compressFrame(bytes),
      decompress: async bytes => (await import('lz4-napi')).decompressFrame(bytes)
    },
    snappy: {
      compress: async bytes => (await import('./snappy.ts')).compressSnappy(bytes),
      decompress: async bytes => (await import('./snappy.ts')).decompressSnappy(bytes)
    }
  }
}

/**
 * Puts the codecs into KafkaJS, for its producers and consumers alike.
 *
 * @returns the codecs that this Node cannot write
 */
export function registerCodecs(kafkaJs: KafkaJs, codecs = createCodecs()): ReadonlySet<CodecName> {
  const registered: Record<number, () => unknown> = kafkaJs.CompressionCodecs
  const unwritable = new Set<CodecName>()

  for (const name of ['zstd', 'lz4', 'snappy'] as const) {
    const { compress, decompress } = codecs[name]
    if (!compress) unwritable.add(name)
    registered[TYPES[name]] = () => ({
      compress: ({ buffer }: { buffer: Buffer }) => (compress ?? refuse(name))(buffer),
      decompress
    })
  }
  return unwritable
}

/**
 * Gives KafkaJS's number of a codec.
 *
 * @throws SMG_KAFKA_BAD_SETTING when this Node cannot write it
 */
export function toCompressionType(name: CodecName, unwritable: ReadonlySet<CodecName>): number {
  if (unwritable.has(name)) refuse(name)
  return TYPES[name]
}

function refuse(name: CodecName): never {
  throw new kafkaErrors.SMG_KAFKA_BAD_SETTING(
    'PRODUCER_COMPRESSION',
    `${name} needs Node 22.15 or later, this is ${process.versions.node}; none, gzip, lz4 and snappy work`
  )
}
