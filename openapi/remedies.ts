/** What to do about each error, by its code, for `errors.md`. Each code has a line, and each line a code. */
export const REMEDIES: Readonly<Record<string, string>> = {
  SMG_GATEWAY_BAD_SETTING: 'Set the variable to what the message says, and start again.',
  SMG_GATEWAY_PORT_TAKEN: 'Stop what listens there, or choose another `HOST` and `PORT`.',
  SMG_GATEWAY_INVALID: 'Correct what `errors` lists: each has the place and the rule.',
  SMG_GATEWAY_MALFORMED: 'Look at the client or the proxy in front: what it sends is not HTTP/1.1.',
  SMG_GATEWAY_BATCH_REFUSED: 'Correct the events by their `results`; nothing of the batch was written.',
  SMG_GATEWAY_UNAUTHENTICATED:
    'Send `Authorization: Bearer` with a token that is signed, in date, and has `exp` and `sub`.',
  SMG_GATEWAY_FORBIDDEN: 'Ask for a token with the scope of this route.',
  SMG_GATEWAY_NO_ROUTE: 'Look the path up in `/docs`; a topic is served when its function is there.',
  SMG_GATEWAY_NO_TOPIC: 'Look the topic up in `/api/functions`.',
  SMG_GATEWAY_NO_MESSAGE: 'Ask again: it may be on its way. Or look in `/api/dead-letters`.',
  SMG_GATEWAY_NO_DEAD_LETTER: 'Look it up in `/api/dead-letters`.',
  SMG_GATEWAY_METHOD: 'Use a method that `Allow` names.',
  SMG_GATEWAY_KEY_IN_FLIGHT: 'Send it again after `Retry-After`: the answer is that of the first request then.',
  SMG_GATEWAY_OLDER_DEAD:
    'Redrive or discard the older one first, or both in one request. `overtake: true` goes past it, but never past the head of a parked one.',
  SMG_GATEWAY_DEAD_LETTER_STATE:
    'Look at its `state`: only one that is `dead` can be redriven or discarded; an edit comes too late while it is `redriving`.',
  SMG_GATEWAY_POSITION_BUSY:
    'Send it again after `Retry-After`. If it stays: pause the function, move the position, and resume it.',
  SMG_GATEWAY_OTHER_GROUP: 'Give the gateway the `GROUP_PREFIX` of its runners.',
  SMG_GATEWAY_KEY_REUSED: 'Send the body of the first request, byte for byte, or take a new key.',
  SMG_GATEWAY_SLOW: 'Send the whole request without pauses; the connection is closed.',
  SMG_GATEWAY_TOO_LARGE:
    'Send less at once: an event has 1 MiB at most, a batch `BATCH_BODY_BYTES`, NDJSON without a key `NDJSON_BODY_BYTES`.',
  SMG_GATEWAY_TOO_MANY_EVENTS:
    'Look at `results`: what is not in them was not sent. Send that in bodies of fewer lines.',
  SMG_GATEWAY_TOPIC_TOO_SMALL: 'Send a smaller event, or raise `max.message.bytes` of the topic.',
  SMG_GATEWAY_URL_TOO_LONG: 'Shorten the path: a part of it has 200 characters at most.',
  SMG_GATEWAY_MEDIA_TYPE:
    'Send `Content-Type: application/json`, for a batch also `application/x-ndjson`, and no `Content-Encoding`.',
  SMG_GATEWAY_EXPECTATION: 'Leave the field `Expect` out.',
  SMG_GATEWAY_RATE_LIMIT: 'Wait as long as `Retry-After` says.',
  SMG_GATEWAY_HEADERS_TOO_LARGE: 'Send fewer or shorter header fields: 16 KiB at most.',
  SMG_GATEWAY_INTERNAL: 'Look into the log of the gateway: `x-request-id` of the answer is its `reqId`.',
  SMG_GATEWAY_KAFKA_AWAY:
    'Send it again after `Retry-After`: nothing was written. If it stays: see that the brokers can be reached.',
  SMG_GATEWAY_NOT_ACKNOWLEDGED:
    'Look for the event before you send it again: a second sending would be a second event.',
  SMG_GATEWAY_DATABASE_AWAY:
    'Ask again after `Retry-After`. If it stays: see that PostgreSQL can be reached, or narrow the query.',
  SMG_GATEWAY_WEBHOOK_REFUSED:
    'See `ALERT_WEBHOOK_URL` and its receiver: it must answer with 2xx, and not with a redirect. Notices are sent again.',
  SMG_GATEWAY_WEBHOOK_PRIVATE:
    'Set `ALERT_WEBHOOK_PRIVATE=true` where the receiver is your own; else see where the name in `ALERT_WEBHOOK_URL` leads. Notices are sent again.',
  SMG_GATEWAY_CLOSING: 'Send what has no result, or one of 503, to another gateway, or again after `Retry-After`.',
  SMG_GATEWAY_OVERLOADED: 'Send it again after `Retry-After`, more slowly: nothing was written.',

  SMG_SDK_BAD_SETTING: 'Set the variable to what the message says, and start again.',
  SMG_SDK_BAD_FILE: 'Correct the field in the file that the message names.',
  SMG_SDK_BAD_TOPIC: 'Rename the file: its name is the topic.',
  SMG_SDK_TOPIC_TWICE: 'Remove one of the two files.',
  SMG_SDK_NO_FUNCTIONS: 'Set `FUNCTIONS_DIR` to a folder that can be read.',
  SMG_SDK_UNKNOWN_FUNCTION: 'Correct `FUNCTIONS`, or add the file.',
  SMG_SDK_BAD_JSON: 'Send JSON in UTF-8 without `\\u0000`, lone surrogates and numbers beyond a double.',
  SMG_SDK_BAD_EVENT: 'Send events of the function’s schema, or widen the schema.',
  SMG_SDK_TIMEOUT: 'Make the function faster, or raise its `timeoutMs`.',
  SMG_SDK_EXPIRED: 'Raise `maxAgeMs`, or run more runners.',
  SMG_SDK_BAD_ROW: 'Let `handle` return a row, a list of rows or nothing.',
  SMG_SDK_BAD_PUBLISH: 'Publish to a topic that has a function, an event of its schema.',
  SMG_SDK_SETTLED: 'Await everything that `handle` begins.',
  SMG_SDK_THROWN: 'Throw an `Error`; what was thrown is in the message.',

  SMG_KAFKA_BAD_SETTING: 'Correct the variable that the message names.',
  SMG_KAFKA_UNAVAILABLE: 'See that `KAFKA_BROKERS` is right and that the brokers can be reached.',
  SMG_KAFKA_TIMEOUT: 'Send it again: it was not written.',
  SMG_KAFKA_WITHDRAWN: 'Send it again: it was not written, because an event before it was not.',
  SMG_KAFKA_UNKNOWN_OUTCOME: 'Look for the event before you send it again.',
  SMG_KAFKA_QUEUE_FULL: 'Send more slowly, or see why Kafka is slow.',
  SMG_KAFKA_CLOSED: 'The process is stopping: send it to another.',
  SMG_KAFKA_STALLED: 'Nothing: the consumer is made anew. If it repeats, look at the brokers.',
  SMG_KAFKA_NO_TOPIC: 'Start a part with `TOPIC_CREATE=true`, or make the topic.',
  SMG_KAFKA_TOO_LARGE: 'Send a smaller event, or raise `max.message.bytes` of the topic.',
  SMG_KAFKA_BAD_RECORD: 'Report it: the gateway built a record that Kafka does not take.',
  SMG_KAFKA_REFUSED: 'See the reason: mostly a missing permission (ACL) or a wrong login.',
  SMG_KAFKA_TOPIC_CREATE:
    'See the reason: mostly a missing permission, or fewer brokers than `TOPIC_REPLICATION_FACTOR`.',
  SMG_KAFKA_TOPICS_MISSING: 'Make the topics, or set `TOPIC_CREATE=true`.',

  SMG_DB_BAD_SETTING: 'Set `DATABASE_URL` to what the message says.',
  SMG_DB_UNAVAILABLE: 'See that `DATABASE_URL` is right and that PostgreSQL can be reached.',
  SMG_DB_TOO_OLD: 'Take PostgreSQL 15 or later.',
  SMG_DB_NOT_MIGRATED: 'Run `npm run migrate`.',
  SMG_DB_ROLLED_BACK: 'Nothing: the batch is run again.',
  SMG_DB_CONNECTION_LOST: 'Nothing: the batch is run again when PostgreSQL is back.',
  SMG_DB_BUSY: 'Report it: two transactions were begun on one connection.',
  SMG_DB_TRANSACTION_OVER: 'Await everything that `handle` begins.',

  SMG_RUNNER_POSITION_MOVED: 'Nothing: the position is read again.',
  SMG_RUNNER_PORT_TAKEN: 'Stop what listens there, or choose another `HOST` and `RUNNER_PORT`.',
  SMG_RUNNER_OTHER_GROUP: 'Set `GROUP_PREFIX` back, or take another database.',
  SMG_RUNNER_NO_TOPIC: 'Start a part with `TOPIC_CREATE=true`, or make the topic.',
  SMG_RUNNER_ROWS_LOST: 'Remove the trigger or the policy from the table.',
  SMG_RUNNER_ID_REUSED: 'Look at the producer: it gives one id to two events.',
  SMG_RUNNER_ABANDONED: 'Let `handle` heed `signal`, or raise its `timeoutMs`.',
  SMG_RUNNER_FLOOD:
    'Mend the function: it goes on when its file changes. Or resume it by POST /api/functions/{topic}/resume.',
  SMG_RUNNER_PARKED: 'Redrive or discard the dead letter before it: what is parked behind it goes on by itself.',
  SMG_RUNNER_UNPARKED: 'Nothing: the runner handles the record once more.',
  SMG_RUNNER_BAD_OPTION: 'Correct the option that the message names; `--help` lists them.',
  SMG_RUNNER_CRASHED:
    'Look for what ends the process: memory, an endless loop, a rejection that nobody handles; mend it, and redrive.',
  SMG_RUNNER_STALLED:
    'Nothing: the consumer is made anew, and after five times in vain the process ends for its supervisor.',
  SMG_RUNNER_STOPPING: 'Nothing: another runner goes on.',

  SMG_STACK_NO_JAVA: 'Do what the message says.',
  SMG_STACK_OLD_JAVA: 'Do what the message says.',
  SMG_STACK_NO_MAVEN: 'Do what the message says.',
  SMG_STACK_DOWNLOAD: 'Do what the message says.',
  SMG_STACK_NO_PLATFORM: 'Do what the message says.',
  SMG_STACK_NO_POSTGRES: 'Do what the message says.',
  SMG_STACK_BROKEN_POSTGRES: 'Do what the message says.',
  SMG_STACK_NO_ACCOUNT: 'Do what the message says.',
  SMG_STACK_NO_DOCKER: 'Look at the reason; `docker ps -a` shows the containers.',
  SMG_STACK_RUNNING: 'Do what the message says.',
  SMG_STACK_TASK_FAILED: 'Look at the reason, and at the log that it names.',
  SMG_STACK_PART_FAILED: 'Look at the reason, and at the log that it names.',
  SMG_STACK_STOPPED: 'Start it again.'
}
