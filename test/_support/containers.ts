import { setTimeout as sleep } from 'node:timers/promises'
import { isKafkaReady } from '../../stack/kafka-probe.ts'
import { createPortFinder } from '../../stack/ports.ts'
import type { TestStack } from './stack.ts'

const ENGINE_TIMEOUT_MS = 10_000
const KAFKA_TIMEOUT_MS = 60_000

/** Says why testcontainers cannot be used; null when it can. */
export async function whyNoEngine(): Promise<string | null> {
  try {
    // Imported here only: a broken import is one more reason, and none to fail.
    const { getContainerRuntimeClient } = await import('testcontainers')
    const late = sleep(ENGINE_TIMEOUT_MS, 'it does not answer', { ref: false })
    return await Promise.race([getContainerRuntimeClient().then(() => null), late])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Starts Kafka and PostgreSQL in containers; testcontainers' own reaper removes them if this process is killed. */
export async function startTestContainers(): Promise<TestStack & { stop(): Promise<void> }> {
  const { GenericContainer, Wait } = await import('testcontainers')
  // A fixed port: Kafka must know its own address before it starts.
  const port = await createPortFinder()(0)

  const [kafka, postgres] = await Promise.all([
    new GenericContainer('apache/kafka:4.3.1')
      .withExposedPorts({ container: 9092, host: port })
      .withEnvironment(kafkaVariables(port))
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
      .start(),
    new GenericContainer('postgres:18')
      .withExposedPorts(5432)
      .withEnvironment({ POSTGRES_USER: 'smg', POSTGRES_PASSWORD: 'smg', POSTGRES_DB: 'smg' })
      .withCommand(['postgres', '-c', 'fsync=off', '-c', 'max_connections=400'])
      // Once for the server that initdb starts, once for the one that stays.
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
      .start()
  ])
  for (const deadline = Date.now() + KAFKA_TIMEOUT_MS; !(await isKafkaReady(port)); await sleep(100))
    if (Date.now() > deadline) throw new Error('Kafka in its container does not answer')

  return {
    kafkaBrokers: `127.0.0.1:${port}`,
    // Not getHost(): `localhost` may be ::1.
    databaseUrl: `postgres://smg:smg@127.0.0.1:${postgres.getMappedPort(5432)}/smg`,
    async stop() {
      await Promise.all([kafka.stop(), postgres.stop()])
    }
  }
}

/** All of it: one variable makes the image drop its built-in configuration. */
function kafkaVariables(port: number): Record<string, string> {
  return {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9094',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'INTERNAL',
    KAFKA_LISTENERS: 'PLAINTEXT://:9092,INTERNAL://localhost:9093,CONTROLLER://localhost:9094',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port},INTERNAL://localhost:9093`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '3',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0'
  }
}
