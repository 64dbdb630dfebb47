import type { Static } from '@sinclair/typebox'
import type { AlertNotice, Alert as AlertSchema } from '../../schemas/alerts.ts'
import type { AuditEntry as AuditSchema } from '../../schemas/audit.ts'
import type { FunctionView } from '../../schemas/functions.ts'
import type { PositionMoves } from '../../schemas/positions.ts'
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

export type Alert = Static<typeof AlertSchema>
export type AlertEvent = Static<typeof AlertNotice>

export interface AlertList {
  readonly items: readonly Alert[]
  readonly evaluatedAt: string | null
  readonly source: 'database' | 'memory'
}

export type AuditEntry = Static<typeof AuditSchema>
/** Where positions stand and would stand, partition by partition. */
export type PositionMove = Static<typeof PositionMoves>
