import { availableParallelism } from 'node:os'
import type { Logger } from 'pino'
import { createDatabase } from '../db/client.ts'
import { createAlertTurns } from '../db/queries/alert-turns.ts'
import { createGatewayQueries, createGatewayWrites } from '../db/queries/gateway.ts'
import { createWriter } from '../db/writer.ts'
import { createKafkaClient } from '../kafka/client.ts'
import { createClusterView } from '../kafka/cluster.ts'
import { createProducer } from '../kafka/producer.ts'
import { ensureTopics } from '../kafka/topics.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import type { GatewayEnvironment } from './config.ts'
import { takeTurns } from './take-turns.ts'

// PostgreSQL gives a query up before the gateway answers for it.
const STATEMENT_TIMEOUT_MS = 1_800
const HOUR_MS = 3_600_000
const RETRY_MS = 1_000
const WRONG = /^SMG_KAFKA_(TOPICS_MISSING|BAD_SETTING)/

/**
 * Opens the links to Kafka and PostgreSQL; neither needs to be there yet.
 *
 * @returns the links, and `close`, which sends what waits and ends them
 */
export function openLinks(environment: GatewayEnvironment, log: Logger) {
  const client = createKafkaClient(environment, { clientId: 'smg-gateway', log })
  const producer = createProducer(client, environment, { log })
  const cluster = createClusterView(client, { log })
  const database = createDatabase(environment.DATABASE_URL, {
    max: Math.max(4, 2 * availableParallelism()),
    applicationName: 'smg-gateway',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS
  })
  const writer = createWriter(environment.DATABASE_URL, { applicationName: 'smg-gateway-writer' })
  // Its own: a turn of the alerts waits for those of other gateways, and no request waits behind it.
  const alertWriter = createWriter(environment.DATABASE_URL, { applicationName: 'smg-gateway-alerts' })

  return {
    producer,
    cluster,
    alertTurns: createAlertTurns(takeTurns(alertWriter)),
    queries: createGatewayQueries(database.sql),
    writes: createGatewayWrites(database.sql, {
      runTransaction: takeTurns(writer),
      produceTimeoutMs: environment.PRODUCE_TIMEOUT_MS,
      idempotencyTtlMs: environment.IDEMPOTENCY_TTL_HOURS * HOUR_MS
    }),

    /**
     * Makes the functions' topics where they are missing, and reports drift. Resolves after the first try; while Kafka is
     * away, it goes on trying behind that, and `onWrong` gets what no waiting helps.
     */
    async prepareTopics(
      functions: ReadonlyMap<string, LoadedFunction>,
      onWrong: (error: Error) => void
    ): Promise<void> {
      const specs = [...functions.values()].map(({ topic, options }) => {
        return { topic, partitions: options.partitions, retentionMs: Math.round(options.retentionHours * HOUR_MS) }
      })
      const replicationFactor = environment.TOPIC_REPLICATION_FACTOR ?? (environment.NODE_ENV === 'production' ? 3 : 1)
      try {
        const drifts = await ensureTopics(client, specs, { create: environment.TOPIC_CREATE, replicationFactor })
        for (const drift of drifts) log.warn(drift, 'topic is not as its function asks')
      } catch (error) {
        const { code } = error as { code?: string }
        // What Kafka refuses now it may take later: brokers that start are too few for the replicas, or too slow.
        if (WRONG.test(String(code))) return onWrong(error as Error)

        log.warn({ err: error, code }, 'topics cannot be made yet')
        setTimeout(() => void this.prepareTopics(functions, onWrong), RETRY_MS).unref()
      }
    },

    async close(): Promise<void> {
      await producer.close()
      await Promise.all([cluster.close(), database.close(), writer.close(), alertWriter.close()])
    }
  }
}
