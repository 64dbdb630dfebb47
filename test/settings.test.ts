import { join } from 'node:path'
import t from 'tap'
import { readGatewaySettings } from '../gateway/config.ts'
import { readRunnerConfig } from '../runner/config.ts'
import { loadFunctions } from '../sdk/load-functions.ts'

// DESIGN.md section 6: what NODE_ENV switches.
const FUNCTIONS = join(import.meta.dirname, '..', 'functions')
const required = { DATABASE_URL: 'postgres://user:hunter2@db.example/smg', KAFKA_BROKERS: 'a:9092,b:9092' }
const secure = { JWT_SECRET: 'q8Zt2xWc5nVb7mKj4hGf1dSa9pOi6uYr' }

const modes = [
  { mode: undefined, isProduction: false, logLevel: 'debug', replicationFactor: 1, retentionHours: 1 },
  { mode: '', isProduction: false, logLevel: 'debug', replicationFactor: 1, retentionHours: 1 },
  { mode: 'development', isProduction: false, logLevel: 'debug', replicationFactor: 1, retentionHours: 1 },
  { mode: 'test', isProduction: false, logLevel: 'debug', replicationFactor: 1, retentionHours: 1 },
  { mode: 'production', isProduction: true, logLevel: 'info', replicationFactor: 3, retentionHours: 168 }
]
for (const { mode, isProduction, logLevel, replicationFactor, retentionHours } of modes) {
  t.test(`the defaults when NODE_ENV is ${mode ?? 'not set'}`, async t => {
    const environment = { ...required, ...secure, NODE_ENV: mode }

    t.test('of a runner', async t => {
      const config = readRunnerConfig(environment)

      t.match(config, { isProduction, logLevel, replicationFactor, retentionHours })
    })

    t.test('of the topics of its functions', async t => {
      const functions = await loadFunctions(FUNCTIONS, readRunnerConfig(environment))

      const hours = [...functions.values()].map(({ options }) => options.retentionHours)
      t.strictSame(new Set(hours), new Set([retentionHours]))
    })

    t.test('of the gateway', async t => {
      const { settings, isProduction: own } = readGatewaySettings(environment)

      t.equal(own, isProduction)
      t.equal(settings.security !== null, isProduction, 'security')
    })

    t.test('give way to what is set', async t => {
      const set = { LOG_LEVEL: 'warn', TOPIC_REPLICATION_FACTOR: '2', ALLOW_INSECURE_PRODUCTION: 'true' }
      const given = { ...environment, ...set, SECURITY_ENABLED: String(!isProduction) }

      t.match(readRunnerConfig(given), { logLevel: 'warn', replicationFactor: 2 })
      const { environment: gateway, settings } = readGatewaySettings(given)
      t.match(gateway, { LOG_LEVEL: 'warn', TOPIC_REPLICATION_FACTOR: 2 })
      t.equal(settings.security !== null, !isProduction)
    })
  })
}

t.test('production without security needs a word', async t => {
  const environment = { ...required, NODE_ENV: 'production', SECURITY_ENABLED: 'false' }

  t.throws(() => readGatewaySettings(environment), {
    code: 'SMG_GATEWAY_BAD_SETTING',
    message: /^SECURITY_ENABLED is false in production; /
  })
  t.equal(readGatewaySettings({ ...environment, ALLOW_INSECURE_PRODUCTION: 'true' }).settings.security, null)
})

t.test('the other defaults are those of the page', async t => {
  const common = { PRODUCE_TIMEOUT_MS: 10_000, PRODUCER_LANES: 4, PRODUCER_LINGER_MS: 2, PRODUCER_BATCH_BYTES: 524_288 }
  const kafka = { TOPIC_PREFIX: '', GROUP_PREFIX: 'smg.', TOPIC_CREATE: true, KAFKA_SSL: false, HOST: '127.0.0.1' }
  const telemetry = { TELEMETRY_INTERVAL_MS: 10_000 }
  const shared = { ...common, ...kafka, ...telemetry, PRODUCER_COMPRESSION: 'none' }

  t.match(readGatewaySettings(required).environment, {
    ...{ ...shared, PORT: 3000, RATE_LIMIT_MAX: 1000, RATE_LIMIT_EVENTS: 50_000, RATE_LIMIT_WINDOW_MS: 1000 },
    ...{
      ALLOW_INSECURE_PRODUCTION: false,
      BATCH_BODY_BYTES: 16_777_216,
      NDJSON_BODY_BYTES: 67_108_864,
      IDEMPOTENCY_TTL_HOURS: 24,
      ALERT_INTERVAL_MS: 10_000,
      ALERT_WEBHOOK_PRIVATE: false,
      PAGES_PUBLIC: true,
      FUNCTIONS_DIR: 'functions'
    }
  })
  t.match(readRunnerConfig(required), {
    ...{ ...shared, RUNNER_PORT: 3001, RUNNER_CONCURRENCY: 64, CONSUMER_MAX_BYTES_PER_PARTITION: 524_288 },
    ...{ CONSUMER_MAX_WAIT_MS: 500, CONSUMER_SESSION_TIMEOUT_MS: 45_000 }
  })
  t.equal(readRunnerConfig(required).only, undefined)
})

const picks = [
  { FUNCTIONS: 'all', only: undefined },
  { FUNCTIONS: ' , ', only: undefined },
  { FUNCTIONS: 'a', only: ['a'] },
  { FUNCTIONS: ' a , b,', only: ['a', 'b'] }
]
for (const { FUNCTIONS, only } of picks) {
  t.test(`FUNCTIONS=${JSON.stringify(FUNCTIONS)} picks ${only ?? 'all'}`, async t => {
    t.strictSame(readRunnerConfig({ ...required, FUNCTIONS }).only, only)
  })
}

const wrong = [
  { NODE_ENV: 'prod', message: 'NODE_ENV is "prod"; it may be development, production, test' },
  { KAFKA_BROKERS: undefined, message: 'KAFKA_BROKERS is not set; it may be host:port, or several parted by commas' },
  { KAFKA_BROKERS: 'a', message: 'KAFKA_BROKERS is "a"; it may be host:port, or several parted by commas' },
  {
    DATABASE_URL: undefined,
    message: 'DATABASE_URL is not set; it may be postgres://user:password@host:port/database'
  },
  {
    DATABASE_URL: 'mysql://a:hunter2@b',
    message: 'DATABASE_URL is set to something else; it may be postgres://user:password@host:port/database'
  },
  { LOG_LEVEL: 'loud', message: 'LOG_LEVEL is "loud"; it may be fatal, error, warn, info, debug, trace, silent' },
  {
    TOPIC_REPLICATION_FACTOR: '0',
    message: 'TOPIC_REPLICATION_FACTOR is "0"; it may be a whole number from 1 to 32767'
  },
  {
    PRODUCER_COMPRESSION: 'brotli',
    message: 'PRODUCER_COMPRESSION is "brotli"; it may be none, gzip, zstd, lz4, snappy'
  }
]
for (const { message, ...variable } of wrong) {
  t.test(`gateway and runner stop: ${message.slice(0, 60)}`, async t => {
    const environment = { ...required, ...variable } as NodeJS.ProcessEnv

    t.throws(() => readGatewaySettings(environment), { code: 'SMG_SDK_BAD_SETTING', message })
    t.throws(() => readRunnerConfig(environment), { code: 'SMG_SDK_BAD_SETTING', message })
  })
}
