import type { Sql } from 'postgres'
import { createDeadLetterQueries } from './dead-letters.ts'
import { createFunctionStateQueries } from './function-states.ts'
import { createMessageQueries } from './messages.ts'
import { createRowQueries } from './rows.ts'
import { createStatsQueries } from './stats.ts'
import { createTopicStatusQueries } from './topic-status.ts'

/** Every read that the gateway serves, by what it reads. */
export function createGatewayQueries(sql: Sql) {
  return {
    messages: createMessageQueries(sql),
    rows: createRowQueries(sql),
    deadLetters: createDeadLetterQueries(sql),
    topicStatus: createTopicStatusQueries(sql),
    functionStates: createFunctionStateQueries(sql),
    stats: createStatsQueries(sql)
  }
}

export type GatewayQueries = ReturnType<typeof createGatewayQueries>
