import { join } from 'node:path'
import { type Static, type TObject, Type } from '@sinclair/typebox'
import { databaseSettings } from '../db/config.ts'
import { kafkaSettings, producerSettings } from '../kafka/config.ts'
import { oneOf, parseSettings, telemetrySettings } from '../sdk/config.ts'
import { readWebhook } from './alerts/read-webhook.ts'
import { gatewayErrors } from './errors.ts'
import type { AlertSettings } from './plugins/alerts.ts'

/** The variables of the gateway itself. */
const gatewaySettings = {
  NODE_ENV: oneOf(['development', 'production', 'test'], { default: 'development' }),
  HOST: Type.String({ default: '127.0.0.1' }),
  PORT: Type.Integer({ default: 3000, minimum: 0, maximum: 65_535 }),
  /** debug, and info in production. */
  LOG_LEVEL: Type.Optional(oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])),
  FUNCTIONS_DIR: Type.String({ default: join(import.meta.dirname, '..', 'functions') }),
  /** False, and true in production. */
  SECURITY_ENABLED: Type.Optional(Type.Boolean()),
  JWT_SECRET: Type.Optional(Type.String({ secret: true })),
  JWT_ISSUER: Type.Optional(Type.String()),
  JWT_AUDIENCE: Type.Optional(Type.String()),
  RATE_LIMIT_MAX: Type.Integer({ default: 1000, minimum: 1, maximum: 1_000_000_000 }),
  RATE_LIMIT_EVENTS: Type.Integer({ default: 50_000, minimum: 1, maximum: 1_000_000_000 }),
  RATE_LIMIT_WINDOW_MS: Type.Integer({ default: 1000, minimum: 1, maximum: 86_400_000 }),
  ALLOW_INSECURE_PRODUCTION: Type.Boolean({ default: false }),
  BATCH_BODY_BYTES: Type.Integer({ default: 16_777_216, minimum: 1024, maximum: 268_435_456 }),
  NDJSON_BODY_BYTES: Type.Integer({ default: 67_108_864, minimum: 1024, maximum: 1_073_741_824 }),
  IDEMPOTENCY_TTL_HOURS: Type.Integer({ default: 24, minimum: 1, maximum: 8_760 }),
  /** How long resolved and discarded dead letters stay; unset is for ever, as the inbox they guard stays. */
  DEAD_LETTER_RETENTION_HOURS: Type.Optional(Type.Integer({ minimum: 1, maximum: 876_000 })),
  ALERT_INTERVAL_MS: Type.Integer({ default: 10_000, minimum: 100, maximum: 300_000 }),
  /** May hold a token in its path. */
  ALERT_WEBHOOK_URL: Type.Optional(
    Type.String({ pattern: '^https?://[^/\\s]+', secret: true, allowed: 'an address with http:// or https://' })
  ),
  ALERT_WEBHOOK_SECRET_FILE: Type.Optional(Type.String()),
  /** Whether its receiver may have an address that is not public. */
  ALERT_WEBHOOK_PRIVATE: Type.Boolean({ default: false }),
  DATABASE_CAPACITY_BYTES: Type.Optional(Type.Integer({ minimum: 1 })),
  PAGES_PUBLIC: Type.Boolean({ default: true })
}

const all = { ...kafkaSettings, ...producerSettings, ...databaseSettings, ...telemetrySettings, ...gatewaySettings }

/** Every variable that the process of the gateway reads. */
export type GatewayEnvironment = Readonly<Static<TObject<typeof all>>>

/** What a token is checked against, and how much one subject may ask for. */
export interface SecuritySettings {
  readonly secret: string
  /** Required in every token when they are set. */
  readonly issuer: string | undefined
  readonly audience: string | undefined
  readonly maxRequests: number
  readonly maxEvents: number
  readonly windowMs: number
}

/** What the app needs to know. */
export interface AppSettings {
  /** Null: everybody may do everything, without limits. */
  readonly security: SecuritySettings | null
  readonly pagesPublic: boolean
  readonly groupPrefix: string
  readonly produceTimeoutMs: number
  /** Of a body that is held as a whole: a batch, and NDJSON under an `Idempotency-Key`. */
  readonly batchBodyBytes: number
  /** Of a body that is sent on as it comes. */
  readonly ndjsonBodyBytes: number
  readonly databaseCapacityBytes: number | null
  /** Of resolved and discarded ones; null is for ever. */
  readonly deadLetterRetentionMs: number | null
  /** Its files may be on this machine: PostgreSQL is reached by loopback or by a socket. */
  readonly databaseIsLocal: boolean
  readonly alerts: AlertSettings
  readonly timeouts: Timeouts
}

/** How long a client may take. In milliseconds. */
interface Timeouts {
  /** For the header fields of a request; below `requestMs`, else Node swaps the two. */
  readonly headersMs: number
  /** For a whole request with its body. */
  readonly requestMs: number
  /** How often Node looks for those that are late. */
  readonly checkMs: number
  /** Without a byte in either direction. */
  readonly idleMs: number
  /** Between two requests; above the idle time of usual load balancers. */
  readonly keepAliveMs: number
}

const HOUR_MS = 3_600_000

const timeouts: Timeouts = { headersMs: 10_000, requestMs: 20_000, checkMs: 1_000, idleMs: 60_000, keepAliveMs: 72_000 }

const WELL_KNOWN =
  /^(secret|changeme|change-me|password|supersecret|your[-_ ]?256[-_ ]?bit[-_ ]?secret|test|dev)+[-_. 0-9!]*$/i

/**
 * Reads the environment of the gateway.
 *
 * @returns its variables, and what the app needs of them
 * @throws SMG_SDK_BAD_SETTING | SMG_GATEWAY_BAD_SETTING, each with variable, value and what it may be
 */
export function readGatewaySettings(source: NodeJS.ProcessEnv) {
  const environment: GatewayEnvironment = parseSettings(all, source)
  const isProduction = environment.NODE_ENV === 'production'
  const isSecure = environment.SECURITY_ENABLED ?? isProduction

  if (isProduction && !isSecure && !environment.ALLOW_INSECURE_PRODUCTION) {
    throw new gatewayErrors.SMG_GATEWAY_BAD_SETTING(
      'SECURITY_ENABLED',
      'false in production',
      'true, or false together with ALLOW_INSECURE_PRODUCTION=true'
    )
  }
  const settings: AppSettings = Object.freeze({
    security: isSecure ? toSecurity(environment) : null,
    pagesPublic: environment.PAGES_PUBLIC,
    groupPrefix: environment.GROUP_PREFIX,
    produceTimeoutMs: environment.PRODUCE_TIMEOUT_MS,
    batchBodyBytes: environment.BATCH_BODY_BYTES,
    ndjsonBodyBytes: environment.NDJSON_BODY_BYTES,
    databaseCapacityBytes: environment.DATABASE_CAPACITY_BYTES ?? null,
    deadLetterRetentionMs: (environment.DEAD_LETTER_RETENTION_HOURS ?? 0) * HOUR_MS || null,
    databaseIsLocal: isLocal(environment.DATABASE_URL),
    alerts: { intervalMs: environment.ALERT_INTERVAL_MS, webhook: readWebhook(environment) },
    timeouts
  })
  return { environment, settings, isProduction }
}

function isLocal(databaseUrl: string): boolean {
  return /^\w+:\/\/([^@/]*@)?(localhost|127\.[\d.]+|\[::1\])?(:\d+)?\//.test(databaseUrl)
}

function toSecurity(environment: GatewayEnvironment): SecuritySettings {
  return Object.freeze({
    secret: checkSecret(environment.JWT_SECRET),
    issuer: environment.JWT_ISSUER,
    audience: environment.JWT_AUDIENCE,
    maxRequests: environment.RATE_LIMIT_MAX,
    maxEvents: environment.RATE_LIMIT_EVENTS,
    windowMs: environment.RATE_LIMIT_WINDOW_MS
  })
}

function checkSecret(secret: string | undefined): string {
  const allowed = 'a secret of 32 bytes or more, drawn at random: openssl rand -base64 48'
  if (!secret) throw new gatewayErrors.SMG_GATEWAY_BAD_SETTING('JWT_SECRET', 'not set while SECURITY_ENABLED', allowed)

  const isPoor = Buffer.byteLength(secret) < 32 || WELL_KNOWN.test(secret) || new Set(secret).size < 8
  if (isPoor) throw new gatewayErrors.SMG_GATEWAY_BAD_SETTING('JWT_SECRET', 'too short or well known', allowed)
  return secret
}
