import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault
} from 'fastify'
import type { AlertTurns } from '../db/queries/alert-turns.ts'
import type { GatewayQueries, GatewayWrites } from '../db/queries/gateway.ts'
import type { ClusterView, Producer } from '../kafka/types.ts'
import type { ErrorEvents } from '../sdk/telemetry/error-events.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import type { AppSettings } from './config.ts'

/** What the app is built of. Nothing here is opened or closed by it. */
export interface GatewayDependencies {
  /** By topic. */
  readonly functions: ReadonlyMap<string, LoadedFunction>
  readonly producer: Omit<Producer, 'close'>
  readonly cluster: Omit<ClusterView, 'close'>
  readonly queries: GatewayQueries
  readonly writes: GatewayWrites
  readonly alertTurns: AlertTurns
  readonly settings: AppSettings
  readonly log: FastifyBaseLogger
  /** What it tells of itself, as events; by default nothing. */
  readonly telemetry?: TelemetrySettings
  /** Epoch in milliseconds; the system's clock by default. */
  readonly now?: () => number
  /** In milliseconds from whenever, for what lasts: `performance.now()` by default. It is never set back or on. */
  readonly steadyMs?: () => number
}

interface TelemetrySettings {
  /** This gateway among others: `gateway@web-1:3000`. */
  readonly source: string
  /** Filled from the log. */
  readonly errors: ErrorEvents
  /** 0: never. */
  readonly intervalMs: number
}

/** What a token must allow for a route; `public` needs no token. */
export type Scope = 'public' | 'read' | 'operate' | 'metrics' | `produce:${string}`

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>
