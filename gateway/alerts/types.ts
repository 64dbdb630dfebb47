import type { SlotCounts } from '../../db/queries/alert-turns.ts'

/**
 * What the rules look at, as one gateway sees it. Null is not known: that neither raises an alert nor clears one.
 */
export interface AlertInputs {
  readonly topics: readonly TopicInput[] | null
  /** Partitions of each topic with fewer in-sync replicas than replicas. */
  readonly underReplicated: readonly { readonly topic: string; readonly partitions: number }[] | null
  /** Whether each broker that should be there answers, by its id; empty when no broker was ever seen. */
  readonly brokers: ReadonlyMap<number, boolean>
  readonly functions: readonly FunctionInput[] | null
  /** Topics with dead letters that wait. */
  readonly deadLetters: readonly { readonly topic: string; readonly oldestSeconds: number }[] | null
  readonly outbox: { readonly oldestSeconds: number; readonly refused: number } | null
  /** Of all gateways, or of this one while PostgreSQL is away; the newest first or last. */
  readonly counts: readonly SlotCounts[]
}

/** A function's topic. */
export interface TopicInput {
  readonly topic: string
  readonly lag: number
  /** Age of the oldest record that is not settled. */
  readonly lagSeconds: number | null
  /** Partitions by what their window says. */
  readonly stalled: number
  readonly stopped: number
  readonly rewound: number
  /** Over the last 5 minutes. */
  readonly settled: number
  readonly dead: number
  /** Removed by retention over the last hour; null while none is known of, and the hour not over yet. */
  readonly lost: number | null
}

export interface FunctionInput {
  readonly topic: string
  readonly state: 'running' | 'paused' | 'stopped'
  readonly isFlood: boolean
}

/** A rule's value for one of its subjects. */
export interface Reading {
  /** A topic or a broker; null where the rule has only one subject. */
  readonly subject: string | null
  readonly value: number | null
}

export type Unit = 'records' | 'seconds' | 'ratio' | 'partitions' | 'brokers' | 'functions' | 'failures' | 'events'

/** When somebody is told of something, and what to do about it. */
export interface AlertRule {
  readonly name: string
  readonly severity: 'warning' | 'critical'
  /** Fires above it. */
  readonly threshold: number
  /** Clears at it or below: a value between the two changes nothing. */
  readonly clearsAt: number
  readonly unit: Unit
  /** So long the value must stay above the threshold; 0 fires at once. */
  readonly forSeconds: number
  /** What is wrong, in a few words. */
  readonly summary: string
  readonly description: string
  /** What to do. */
  readonly action: string
  /** Null when nothing is known now. A subject that is missing is well. */
  readonly measure: (inputs: AlertInputs) => readonly Reading[] | null
}
