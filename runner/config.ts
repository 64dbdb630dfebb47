import { Type } from '@sinclair/typebox'
import { databaseSettings } from '../db/config.ts'
import { consumerSettings, kafkaSettings, producerSettings } from '../kafka/config.ts'
import { parseSettings, telemetrySettings } from '../sdk/config.ts'

const settings = {
  NODE_ENV: Type.Union([Type.Literal('development'), Type.Literal('production'), Type.Literal('test')], {
    default: 'development'
  }),
  LOG_LEVEL: Type.Optional(
    Type.Union(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map(level => Type.Literal(level)))
  ),
  HOST: Type.String({ default: '127.0.0.1' }),
  RUNNER_PORT: Type.Integer({ default: 3001, minimum: 0, maximum: 65_535 }),
  RUNNER_CONCURRENCY: Type.Integer({ default: 64, minimum: 1, maximum: 10_000 }),
  FUNCTIONS: Type.Optional(Type.String()),
  FUNCTIONS_DIR: Type.Optional(Type.String()),
  ...databaseSettings,
  ...telemetrySettings,
  ...kafkaSettings,
  ...consumerSettings,
  ...producerSettings
}

/** Reads the variables of a runner. */
export function readRunnerConfig(environment: NodeJS.ProcessEnv) {
  const values = parseSettings(settings, environment)
  const isProduction = values.NODE_ENV === 'production'
  const only = values.FUNCTIONS?.split(',')
    .map(topic => topic.trim())
    .filter(Boolean)

  return Object.freeze({
    ...values,
    isProduction,
    logLevel: (values.LOG_LEVEL ?? (isProduction ? 'info' : 'debug')) as string,
    retentionHours: isProduction ? 168 : 1,
    replicationFactor: values.TOPIC_REPLICATION_FACTOR ?? (isProduction ? 3 : 1),
    /** Topics that this runner handles; undefined for all. */
    only: only && only.length > 0 && only[0] !== 'all' ? only : undefined,
    functionsFolder: values.FUNCTIONS_DIR ?? `${import.meta.dirname}/../functions`
  })
}

export type RunnerConfig = ReturnType<typeof readRunnerConfig>
