import type { Sql } from 'postgres'
import { createAlertQueries, createAlertWrites } from './alerts.ts'
import { createAuditQueries } from './audit.ts'
import { createDeadLetterRequests, type RunTransaction } from './dead-letter-requests.ts'
import { createDeadLetterQueries } from './dead-letters.ts'
import { createFunctionStateQueries, createFunctionStateRequests } from './function-states.ts'
import { createIdempotencyWrites } from './idempotency.ts'
import { createMessageTail } from './message-tail.ts'
import { createMessageQueries } from './messages.ts'
import { createOutcomeQueries } from './outcomes.ts'
import { createPositionMoves, createSettledCount } from './position-moves.ts'
import { createRedrivableQueries } from './redrivable.ts'
import { createRowQueries } from './rows.ts'
import { createStatsQueries } from './stats.ts'
import { createTopicStatusQueries } from './topic-status.ts'

/** Every read that the gateway serves, by what it reads. */
export function createGatewayQueries(sql: Sql) {
  return {
    audit: createAuditQueries(sql),
    messages: createMessageQueries(sql),
    messageTail: createMessageTail(sql),
    positions: createSettledCount(sql),
    rows: createRowQueries(sql),
    deadLetters: createDeadLetterQueries(sql),
    redrivable: createRedrivableQueries(sql),
    topicStatus: createTopicStatusQueries(sql),
    functionStates: createFunctionStateQueries(sql),
    outcomes: createOutcomeQueries(sql),
    stats: createStatsQueries(sql),
    alerts: createAlertQueries(sql)
  }
}

export type GatewayQueries = ReturnType<typeof createGatewayQueries>

interface WriteOptions {
  readonly runTransaction: RunTransaction
  readonly produceTimeoutMs: number
  readonly idempotencyTtlMs: number
}

/** Every write of the gateway, by what it writes: a statement, or a transaction where there are several. */
export function createGatewayWrites(sql: Sql, { runTransaction, produceTimeoutMs, idempotencyTtlMs }: WriteOptions) {
  return {
    idempotency: createIdempotencyWrites(sql, { produceTimeoutMs, ttlMs: idempotencyTtlMs }),
    deadLetters: createDeadLetterRequests(sql, runTransaction),
    alerts: createAlertWrites(sql),
    functionStates: createFunctionStateRequests(runTransaction),
    positions: createPositionMoves(runTransaction)
  }
}

export type GatewayWrites = ReturnType<typeof createGatewayWrites>
