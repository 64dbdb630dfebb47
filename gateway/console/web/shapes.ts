import type { Static } from '@sinclair/typebox'
import type { FunctionView } from '../../schemas/functions.ts'
import type { StatsHistory as StatsHistorySchema, Stats as StatsSchema } from '../../schemas/stats.ts'
import type { Topic as TopicSchema } from '../../schemas/topics.ts'

/** A page of a list, newest first. */
export interface List<T> {
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

export type State = 'ok' | 'degraded' | 'down'

export interface Health {
  readonly status: State
  readonly checks: { readonly kafka: State; readonly database: State; readonly functions: State }
}

export type Topic = Static<typeof TopicSchema>
export type TopicPartition = Topic['partitions'][number]
export type Stats = Static<typeof StatsSchema>
export type FunctionShape = Static<typeof FunctionView>

/** Oldest first; members are null where nothing was known. */
export type StatsHistory = Static<typeof StatsHistorySchema>
export type Sample = StatsHistory['items'][number]

type Severity = 'warning' | 'critical'
type AlertState = 'ok' | 'pending' | 'firing'

export interface Alert {
  readonly name: string
  readonly severity: Severity
  readonly state: AlertState
  readonly value: number | null
  readonly threshold: number
  readonly unit: string
  readonly since: string | null
  readonly summary: string
  readonly description: string
  readonly action: string
  readonly forSeconds: number
  readonly subjects: readonly {
    readonly subject: string | null
    readonly state: AlertState
    readonly value: number | null
    readonly since: string | null
  }[]
}

export interface AlertList {
  readonly items: readonly Alert[]
  readonly evaluatedAt: string | null
  readonly source: 'database' | 'memory'
}

export interface AlertEvent {
  readonly id: string
  readonly name: string
  readonly severity: Severity
  readonly subject: string | null
  readonly event: 'fired' | 'cleared'
  readonly value: number | null
  readonly threshold: number
  readonly at: string
  readonly summary: string
  readonly deliveries: readonly {
    readonly sink: 'log' | 'webhook' | 'notifications'
    readonly state: 'pending' | 'delivered' | 'given_up'
    readonly attempts: number
    readonly at: string | null
  }[]
}

export interface AuditEntry {
  readonly id: string
  readonly at: string
  readonly operator: string | null
  readonly action: string
  readonly topic: string | null
  readonly details: Readonly<Record<string, unknown>>
  readonly requestId: string
}

/** Where a position stands and would stand, partition by partition. */
export interface PositionMove {
  readonly topic: string
  readonly dryRun: boolean
  readonly partitions: readonly {
    readonly partition: number
    readonly from: string | null
    readonly to: string
    readonly records: number | string
    readonly settledAlready: number | string | null
  }[]
}
