import { resolve } from 'node:path'
import { Type } from '@sinclair/typebox'
import { databaseSettings } from '../db/config.ts'
import { kafkaSettings } from '../kafka/config.ts'
import { parseSettings } from '../sdk/config.ts'

// 0 asks the system for any free port.
const port = (number: number) => Type.Integer({ default: number, minimum: 0, maximum: 65_535 })

const settings = {
  HOST: Type.String({ default: '127.0.0.1' }),
  PORT: port(3000),
  RUNNER_PORT: port(3001),
  RUNNERS: Type.Integer({ default: 1, minimum: 0, maximum: 64 }),
  KAFKA_PORT: port(9092),
  POSTGRES_PORT: port(5432),
  SMG_DATA_DIR: Type.String({ default: '.smg' }),
  FUNCTIONS_DIR: Type.String({ default: 'functions' }),
  TOPIC_REPLICATION_FACTOR: Type.Optional(kafkaSettings.TOPIC_REPLICATION_FACTOR),
  DATABASE_URL: Type.Optional(databaseSettings.DATABASE_URL),
  KAFKA_BROKERS: Type.Optional(kafkaSettings.KAFKA_BROKERS)
}

/** What `npm start` runs, and where. */
export interface StackConfig {
  readonly host: string
  /** Of the gateway; 0 is any free one, here and below. */
  readonly port: number
  /** Of the first runner; runner i listens on this plus i. */
  readonly runnerPort: number
  readonly runners: number
  readonly kafkaPort: number
  readonly postgresPort: number
  /** Absolute. */
  readonly dataFolder: string
  /** Absolute. */
  readonly functionsFolder: string
  /** Null: the parts' own default. */
  readonly topicReplicationFactor: number | null
  /** Null: the stack brings its own PostgreSQL. */
  readonly databaseUrl: string | null
  /** Null: the stack brings its own Kafka. */
  readonly kafkaBrokers: string | null
}

/**
 * Reads what concerns the stack from the environment; relative folders start at `root`.
 *
 * @throws SMG_SDK_BAD_SETTING with variable, value and what it may be
 */
export function parseStackConfig(environment: NodeJS.ProcessEnv, root: string): StackConfig {
  const given = parseSettings(settings, environment)

  return Object.freeze({
    host: given.HOST,
    port: given.PORT,
    runnerPort: given.RUNNER_PORT,
    runners: given.RUNNERS,
    kafkaPort: given.KAFKA_PORT,
    postgresPort: given.POSTGRES_PORT,
    dataFolder: resolve(root, given.SMG_DATA_DIR),
    functionsFolder: resolve(root, given.FUNCTIONS_DIR),
    topicReplicationFactor: given.TOPIC_REPLICATION_FACTOR ?? null,
    databaseUrl: given.DATABASE_URL ?? null,
    kafkaBrokers: given.KAFKA_BROKERS ?? null
  })
}
