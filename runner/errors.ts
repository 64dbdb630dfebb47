import { createError } from '@fastify/error'

/** What goes wrong in the runner. A code that was released is never renamed, reused or given another meaning. */
export const runnerErrors = {
  SMG_RUNNER_POSITION_MOVED: createError('SMG_RUNNER_POSITION_MOVED', 'Group %s no longer owns partitions %s', 409),
  SMG_RUNNER_OTHER_GROUP: createError(
    'SMG_RUNNER_OTHER_GROUP',
    'This database holds the positions of group %s for topic %s, and GROUP_PREFIX makes it %s: one database serves one group a topic',
    500
  ),
  SMG_RUNNER_PORT_TAKEN: createError(
    'SMG_RUNNER_PORT_TAKEN',
    'HOST and RUNNER_PORT, %s:%s, cannot be listened on: %s',
    500
  ),
  SMG_RUNNER_NO_TOPIC: createError('SMG_RUNNER_NO_TOPIC', 'Kafka has no topic %s', 503),
  SMG_RUNNER_ROWS_LOST: createError(
    'SMG_RUNNER_ROWS_LOST',
    'PostgreSQL stored %s of %s rows: a trigger or a policy of the table swallows the others',
    500
  ),
  SMG_RUNNER_ID_REUSED: createError('SMG_RUNNER_ID_REUSED', 'Id %s has been used for another event', 409),
  SMG_RUNNER_ABANDONED: createError(
    'SMG_RUNNER_ABANDONED',
    'The attempt did not end in time and lost its connection',
    504
  ),
  SMG_RUNNER_FLOOD: createError(
    'SMG_RUNNER_FLOOD',
    '%s of the last %s records died of one reason: %s. Mend the function, or resume it by POST /api/functions/{topic}/resume',
    503
  ),
  SMG_RUNNER_PARKED: createError('SMG_RUNNER_PARKED', 'A record before it with the same key is a dead letter', 409),
  SMG_RUNNER_UNPARKED: createError('SMG_RUNNER_UNPARKED', 'A parked record waits for nothing any more', 409),
  SMG_RUNNER_BAD_OPTION: createError('SMG_RUNNER_BAD_OPTION', '%s. See: npm run dead-letters -- --help', 400),
  SMG_RUNNER_CRASHED: createError(
    'SMG_RUNNER_CRASHED',
    'The process ended while it handled this record, %s times in a row',
    500
  ),
  SMG_RUNNER_STALLED: createError(
    'SMG_RUNNER_STALLED',
    'Kafka has records in partitions %s, and none of them came',
    503
  ),
  SMG_RUNNER_STOPPING: createError('SMG_RUNNER_STOPPING', 'The runner is stopping', 503)
} as const
