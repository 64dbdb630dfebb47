import type { HeaderList } from '../../kafka/types.ts'
import { DLQ_HEADERS, DLQ_PREFIX, parseOffset, parsePartition } from '../dead-letter-headers.ts'

/** Where a foreign dead letter comes from, as far as its headers say. */
interface Origin {
  /** As the other system names it, with whatever prefix it has in Kafka. */
  readonly topic: string | null
  readonly partition: number | null
  /** Decimal string. */
  readonly offset: string | null
  readonly timestampMs: number | null
  readonly group: string | null
  readonly attempts: number | null
  /** What else the dialect tells, by a short name. */
  readonly more: Readonly<Record<string, string>>
}

/** What the headers of a foreign dead letter say. */
export interface Recognised {
  readonly dialect: string
  readonly origin: Origin
  readonly error: { readonly name: string | null; readonly message: string | null; readonly stack: string | null }
  /** The record's own: without those of the dialect. */
  readonly headers: HeaderList
}

interface Dialect {
  readonly name: string
  /** Any of these headers tells the dialect. */
  readonly signs: readonly string[]
  /** Headers of the dialect by name or, ending in `*`, by their beginning; `signs` and those below are anyway. */
  readonly own: readonly string[]
  readonly topic?: string
  readonly partition?: string
  readonly offset?: string
  readonly timestamp?: string
  readonly group?: string
  readonly attempts?: string
  readonly message?: string
  readonly errorName?: string
  readonly stack?: string
  readonly more?: Readonly<Record<string, string>>
}

/** Headers `topic`, `partition` and `offset` behind a common beginning. */
function coordinates(prefix: string) {
  const names = { topic: `${prefix}topic`, partition: `${prefix}partition`, offset: `${prefix}offset` }
  return { ...names, signs: Object.values(names) }
}

// In the order in which they are looked for: a record that went through several is taken back to where it failed first.
const DIALECTS: readonly Dialect[] = [
  {
    name: 'kafka',
    signs: [DLQ_HEADERS.topic, DLQ_HEADERS.partition, DLQ_HEADERS.offset],
    own: [`${DLQ_PREFIX}*`],
    topic: DLQ_HEADERS.topic,
    partition: DLQ_HEADERS.partition,
    offset: DLQ_HEADERS.offset,
    group: DLQ_HEADERS.group,
    attempts: DLQ_HEADERS.attempts,
    message: DLQ_HEADERS.message,
    errorName: DLQ_HEADERS.errorName,
    stack: DLQ_HEADERS.stack,
    more: {
      stage: DLQ_HEADERS.stage,
      disposition: DLQ_HEADERS.disposition,
      failedAt: DLQ_HEADERS.failedAt,
      function: DLQ_HEADERS.functionTopic,
      eventId: DLQ_HEADERS.eventId,
      truncated: DLQ_HEADERS.truncated
    }
  },
  {
    name: 'kafka-streams',
    ...coordinates('__streams.errors.'),
    own: ['__streams.errors.*'],
    message: '__streams.errors.message',
    errorName: '__streams.errors.exception',
    stack: '__streams.errors.stacktrace'
  },
  {
    name: 'kafka-connect',
    ...coordinates('__connect.errors.'),
    own: ['__connect.errors.*'],
    message: '__connect.errors.exception.message',
    errorName: '__connect.errors.exception.class.name',
    stack: '__connect.errors.exception.stacktrace',
    more: {
      connector: '__connect.errors.connector.name',
      task: '__connect.errors.task.id',
      stage: '__connect.errors.stage',
      class: '__connect.errors.class.name'
    }
  },
  {
    name: 'spring-kafka',
    ...coordinates('kafka_dlt-original-'),
    own: ['kafka_dlt-*', 'retry_topic-*'],
    timestamp: 'kafka_dlt-original-timestamp',
    group: 'kafka_dlt-original-consumer-group',
    attempts: 'retry_topic-attempts',
    message: 'kafka_dlt-exception-message',
    errorName: 'kafka_dlt-exception-fqcn',
    stack: 'kafka_dlt-exception-stacktrace',
    more: { cause: 'kafka_dlt-exception-cause-fqcn' }
  },
  {
    name: 'spring-cloud-stream',
    ...coordinates('x-original-'),
    own: ['x-original-timestamp', 'x-original-timestamp-type', 'x-exception-fqcn'],
    timestamp: 'x-original-timestamp',
    message: 'x-exception-message',
    stack: 'x-exception-stacktrace'
  },
  {
    name: 'smallrye',
    ...coordinates('dead-letter-'),
    own: ['dead-letter-*', 'delayed-retry-*'],
    attempts: 'delayed-retry-count',
    message: 'dead-letter-reason',
    errorName: 'dead-letter-exception-class-name',
    more: { cause: 'dead-letter-cause-class-name', causeMessage: 'dead-letter-cause' }
  },
  {
    name: 'wolverine',
    signs: ['original-destination', 'original-partition', 'original-offset'],
    own: ['failed-at'],
    topic: 'original-destination',
    partition: 'original-partition',
    offset: 'original-offset',
    attempts: 'attempts',
    message: 'exception-message',
    errorName: 'exception-type',
    stack: 'exception-stack',
    more: { failedAt: 'failed-at' }
  },
  {
    name: 'karafka',
    ...coordinates('source_'),
    own: [],
    group: 'source_consumer_group',
    attempts: 'source_attempts',
    more: { trace: 'source_trace_id' }
  },
  {
    name: 'watermill',
    signs: ['topic_poisoned'],
    own: [],
    topic: 'topic_poisoned',
    message: 'reason_poisoned',
    more: { handler: 'handler_poisoned', subscriber: 'subscriber_poisoned' }
  },
  {
    name: 'knative',
    signs: ['knativeerrordest', 'knativeerrorcode', 'knativeerrordata'],
    own: [],
    message: 'knativeerrordata',
    errorName: 'knativeerrorcode',
    more: { destination: 'knativeerrordest' }
  }
]

/**
 * Reads the headers of a dead letter that another system wrote. One that no dialect knows is `unknown`, and keeps all its
 * headers; a number that is none is null, and never an error.
 */
export function recognise(headers: HeaderList): Recognised {
  const names = new Set(headers.map(([name]) => name))
  const dialect = DIALECTS.find(({ signs }) => signs.some(sign => names.has(sign)))
  return dialect ? read(dialect, headers) : { dialect: 'unknown', origin: NOWHERE, error: NO_ERROR, headers }
}

const NO_ERROR = { name: null, message: null, stack: null }
const NOWHERE: Origin = {
  topic: null,
  partition: null,
  offset: null,
  timestampMs: null,
  group: null,
  attempts: null,
  more: {}
}

function read(dialect: Dialect, headers: HeaderList): Recognised {
  // A record that failed twice may have both: the first place, and the last reason.
  const first = (name: string | undefined) => headers.find(([header]) => header === name)?.[1]
  const last = (name: string | undefined) => headers.findLast(([header]) => header === name)?.[1]
  const text = (bytes: Buffer | null | undefined) => bytes?.toString('utf8') || null
  const more = Object.entries(dialect.more ?? {}).flatMap(([key, name]) => {
    const found = text(last(name))
    return found === null ? [] : [[key, found] as const]
  })
  const timestamp = parseOffset(first(dialect.timestamp))

  return {
    dialect: dialect.name,
    origin: {
      topic: toTopic(text(first(dialect.topic))),
      partition: parsePartition(first(dialect.partition)),
      offset: parseOffset(first(dialect.offset)),
      timestampMs: timestamp === null ? null : Number(timestamp),
      group: text(last(dialect.group)),
      attempts: parsePartition(last(dialect.attempts)),
      more: Object.fromEntries(more)
    },
    error: {
      name: text(last(dialect.errorName)),
      message: text(last(dialect.message)),
      stack: text(last(dialect.stack))
    },
    headers: headers.filter(([name]) => !isOwn(dialect, name))
  }
}

function isOwn(dialect: Dialect, name: string): boolean {
  const { signs, own, timestamp, group, attempts, message, errorName, stack, more = {} } = dialect
  const named = [...signs, ...own, timestamp, group, attempts, message, errorName, stack, ...Object.values(more)]
  return named.some(each => (each?.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each))
}

// Wolverine names an endpoint: kafka://topic/orders.
function toTopic(text: string | null): string | null {
  return text?.replace(/^kafka:\/\/(topic\/)?/, '') || null
}
