import type { WireRequest } from './kafkajs-internals.ts'
import { checkErrorCode, toUvarint, toWireRequest } from './wire.ts'

/** One log directory of one broker. Bytes; the topics by their name in Kafka. */
export interface LogDir {
  readonly totalBytes: bigint
  readonly usableBytes: bigint
  readonly topicBytes: readonly (readonly [topic: string, bytes: bigint])[]
}

/** DescribeLogDirs; sizes of the volume are told from version 4 on (Kafka 3.3). */
export const LOG_DIRS_API = { apiKey: 35, apiVersion: 4, apiName: 'DescribeLogDirs' } as const

const ALL_TOPICS = toUvarint(0)

/**
 * Makes a request for all log directories of the broker that it is sent to. Rejects with KafkaJS's
 * CLUSTER_AUTHORIZATION_FAILED when the broker may not tell.
 *
 * @see https://kafka.apache.org/protocol#The_Messages_DescribeLogDirs
 */
export function logDirsRequest(): WireRequest<LogDir[]> {
  return toWireRequest(LOG_DIRS_API, ALL_TOPICS, reader => {
    reader.int32() // throttle time
    checkErrorCode(reader.int16())

    const dirs = reader.structs(() => {
      const errorCode = reader.int16()
      reader.string() // path
      const topicBytes = reader.structs(() => {
        const topic = reader.string() ?? ''
        const sizes = reader.structs(() => {
          reader.int32() // partition
          const bytes = reader.int64()
          reader.int64() // how far a moving replica lags
          reader.boolean() // whether it is one
          return bytes
        })
        return [topic, sizes.reduce((sum, bytes) => sum + bytes, 0n)] as const
      })
      return { errorCode, topicBytes, totalBytes: reader.int64(), usableBytes: reader.int64() }
    })
    // A directory that is offline has an error, and sizes of -1.
    return dirs.filter(({ errorCode }) => errorCode === 0)
  })
}
