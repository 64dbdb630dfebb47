import type { LogEntry, logCreator } from 'kafkajs'
import type { Logger } from 'pino'

const WARN = 2

// Normal in the life of a group, and said at ERROR: the first join of a fresh cluster, and every rebalance.
const NOISE = /group coordinator is not available|rebalanc|rejoin|generation id is not valid|not aware of this member/i

/**
 * Builds the log of KafkaJS on pino. Nothing of it is above `warn`: what an error means is known, and logged, where it
 * is settled. No payload is logged.
 */
export function createLogCreator(log: Logger): logCreator {
  return () =>
    ({ namespace, level, log: { message, timestamp, logger, payload, ...fields } }: LogEntry) => {
      const isQuiet = level > WARN || NOISE.test(message) || NOISE.test(String(fields.error))
      log[isQuiet ? 'debug' : 'warn']({ ...fields, namespace }, message)
    }
}
