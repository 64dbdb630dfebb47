import t from 'tap'
import type { HeaderList } from '../../../kafka/types.ts'
import { recognise } from '../../../runner/dead-letters/dialects.ts'

type Headers = Readonly<Record<string, string | number | bigint>>

/** Texts as UTF-8, numbers as Spring writes them: four bytes for a number, eight for a bigint. */
function toList(headers: Headers): HeaderList {
  return Object.entries(headers).map(([name, value]) => {
    if (typeof value === 'string') return [name, Buffer.from(value)] as const
    const bytes = Buffer.alloc(typeof value === 'number' ? 4 : 8)
    if (typeof value === 'number') bytes.writeInt32BE(value)
    else bytes.writeBigInt64BE(value)
    return [name, bytes] as const
  })
}

const OWN = { id: '7', 'x-tenant': 'a' }
const kafka: Headers = {
  '__dlq.errors.topic': 'orders',
  '__dlq.errors.partition': '2',
  '__dlq.errors.offset': '41',
  '__dlq.errors.group': 'billing',
  '__dlq.errors.delivery.count': '5',
  '__dlq.errors.message': 'boom'
}
const spring: Headers = {
  'kafka_dlt-original-topic': 'orders',
  'kafka_dlt-original-partition': 2,
  'kafka_dlt-original-offset': 41n,
  'kafka_dlt-original-timestamp': 1_700_000_000_000n,
  'kafka_dlt-original-timestamp-type': 'CreateTime',
  'kafka_dlt-original-consumer-group': 'billing',
  'kafka_dlt-exception-fqcn': 'ListenerExecutionFailedException',
  'kafka_dlt-exception-cause-fqcn': 'java.lang.IllegalStateException',
  'kafka_dlt-exception-message': 'boom',
  'kafka_dlt-exception-stacktrace': 'at x',
  'retry_topic-attempts': 4,
  'retry_topic-backoff-timestamp': 1_700_000_000_000n
}
const place = { topic: 'orders', partition: 2, offset: '41' }

const goldens: { dialect: string; headers: Headers; expected: object }[] = [
  {
    dialect: 'kafka',
    headers: kafka,
    expected: {
      origin: { ...place, group: 'billing', attempts: 5 },
      error: { message: 'boom', name: null, stack: null }
    }
  },
  {
    dialect: 'kafka',
    headers: {
      ...kafka,
      '__dlq.errors.exception.class': 'sql:22P02',
      '__dlq.errors.stacktrace': 'at x',
      '__dlq.errors.stage': 'persist',
      '__dlq.errors.id': '018bcfe5-6800-7000-8000-000000000000',
      '__dlq.errors.later': 'of a Kafka to come'
    },
    expected: {
      origin: { ...place, more: { stage: 'persist', eventId: '018bcfe5-6800-7000-8000-000000000000' } },
      error: { message: 'boom', name: 'sql:22P02', stack: 'at x' }
    }
  },
  {
    dialect: 'kafka-streams',
    headers: {
      '__streams.errors.topic': 'orders',
      '__streams.errors.partition': '2',
      '__streams.errors.offset': '41',
      '__streams.errors.exception': 'java.lang.RuntimeException',
      '__streams.errors.message': 'boom',
      '__streams.errors.stacktrace': 'at x'
    },
    expected: { origin: place, error: { name: 'java.lang.RuntimeException', message: 'boom', stack: 'at x' } }
  },
  {
    dialect: 'kafka-connect',
    headers: {
      '__connect.errors.topic': 'orders',
      '__connect.errors.partition': '2',
      '__connect.errors.offset': '41',
      '__connect.errors.connector.name': 'sink',
      '__connect.errors.task.id': '0',
      '__connect.errors.stage': 'VALUE_CONVERTER',
      '__connect.errors.class.name': 'JsonConverter',
      '__connect.errors.exception.class.name': 'DataException',
      '__connect.errors.exception.message': 'boom',
      '__connect.errors.exception.stacktrace': 'at x'
    },
    expected: {
      origin: { ...place, more: { connector: 'sink', task: '0', stage: 'VALUE_CONVERTER', class: 'JsonConverter' } },
      error: { name: 'DataException', message: 'boom', stack: 'at x' }
    }
  },
  {
    dialect: 'spring-kafka',
    headers: spring,
    expected: {
      origin: {
        ...place,
        group: 'billing',
        attempts: 4,
        timestampMs: 1_700_000_000_000,
        more: { cause: 'java.lang.IllegalStateException' }
      },
      error: { name: 'ListenerExecutionFailedException', message: 'boom', stack: 'at x' }
    }
  },
  {
    dialect: 'spring-cloud-stream',
    headers: {
      'x-original-topic': 'orders',
      'x-original-partition': 2,
      'x-original-offset': 41n,
      'x-original-timestamp': 1_700_000_000_000n,
      'x-original-timestamp-type': 'CreateTime',
      'x-exception-message': 'boom',
      'x-exception-fqcn': 'E',
      'x-exception-stacktrace': 'at x'
    },
    expected: {
      origin: { ...place, timestampMs: 1_700_000_000_000 },
      error: { name: null, message: 'boom', stack: 'at x' }
    }
  },
  {
    dialect: 'smallrye',
    headers: {
      'dead-letter-topic': 'orders',
      'dead-letter-partition': '2',
      'dead-letter-offset': '41',
      'dead-letter-reason': 'boom',
      'dead-letter-cause': 'the cause',
      'dead-letter-exception-class-name': 'E',
      'dead-letter-cause-class-name': 'F',
      'delayed-retry-count': '3'
    },
    expected: {
      origin: { ...place, attempts: 3, more: { cause: 'F', causeMessage: 'the cause' } },
      error: { name: 'E', message: 'boom', stack: null }
    }
  },
  {
    dialect: 'wolverine',
    headers: {
      'original-destination': 'kafka://topic/orders',
      'original-partition': '2',
      'original-offset': '41',
      attempts: '3',
      'exception-type': 'E',
      'exception-message': 'boom',
      'exception-stack': 'at x',
      'failed-at': '2026-01-01T00:00:00Z'
    },
    expected: {
      origin: { ...place, attempts: 3, more: { failedAt: '2026-01-01T00:00:00Z' } },
      error: { name: 'E', message: 'boom', stack: 'at x' }
    }
  },
  {
    dialect: 'karafka',
    headers: {
      source_topic: 'orders',
      source_partition: '2',
      source_offset: '41',
      source_consumer_group: 'billing',
      source_attempts: '3',
      source_trace_id: 'abc'
    },
    expected: {
      origin: { ...place, group: 'billing', attempts: 3, more: { trace: 'abc' } },
      error: { name: null, message: null, stack: null }
    }
  },
  {
    dialect: 'watermill',
    headers: { topic_poisoned: 'orders', reason_poisoned: 'boom', handler_poisoned: 'h', subscriber_poisoned: 's' },
    expected: {
      origin: { topic: 'orders', partition: null, offset: null, more: { handler: 'h', subscriber: 's' } },
      error: { message: 'boom' }
    }
  },
  {
    dialect: 'knative',
    headers: { knativeerrordest: 'http://sink', knativeerrorcode: '500', knativeerrordata: 'boom' },
    expected: {
      origin: { topic: null, more: { destination: 'http://sink' } },
      error: { name: '500', message: 'boom' }
    }
  }
]
for (const { dialect, headers, expected } of goldens) {
  t.test(`reads the headers of ${dialect}, and leaves the record's own`, async t => {
    const found = recognise(toList({ ...OWN, ...headers }))

    t.match(found, { dialect, ...expected })
    t.strictSame(found.headers, toList(OWN))
  })
}

t.test('of two dialects the first of the list counts, and the headers of the other stay', async t => {
  const both = recognise(toList({ ...spring, 'kafka_dlt-original-topic': 'elsewhere', ...kafka }))
  t.match(both, { dialect: 'kafka', origin: { topic: 'orders' }, error: { message: 'boom' } })
  t.ok(both.headers.every(([name]) => name in spring))

  t.equal(recognise(toList({ dead_letter: 'x', source_topic: 'b', 'x-original-topic': 'a' })).origin.topic, 'a')
})

const malformed = [
  ['text', 'two', 'x'],
  ['negative text', '-1', '-1'],
  ['a negative number', -1, -1n],
  ['empty', '', ''],
  ['a fraction', '1.5', '2e3'],
  ['too large', '2147483648', '9223372036854775808'],
  ['of three bytes', '\u0000\u0000\u0001', '\u0000\u0000\u0001'],
  ['too long', '1'.repeat(400), '1'.repeat(400)]
] as const
for (const [when, partition, offset] of malformed) {
  t.test(`numbers that are none are unknown: ${when}`, async t => {
    const headers = { ...kafka, '__dlq.errors.partition': partition, '__dlq.errors.offset': offset }
    const found = recognise(toList({ ...headers, '__dlq.errors.delivery.count': partition }))

    t.match(found, { dialect: 'kafka', origin: { topic: 'orders', partition: null, offset: null, attempts: null } })
  })
}

t.test('a header without a value, and one that is there twice: the first place, the last reason', async t => {
  const list = toList(spring)
  const twice = toList({ ...spring, 'kafka_dlt-original-offset': 99n, 'kafka_dlt-exception-message': 'again' })

  t.match(recognise([...list, ...twice]), { origin: { offset: '41' }, error: { message: 'again' } })
  t.match(recognise([['source_topic', null]]), { dialect: 'karafka', origin: { topic: null } })
})

t.test('what no dialect knows stays as it is', async t => {
  const headers = toList({ ...OWN, attempts: '3', 'x-original-url': 'http://x' })

  t.match(recognise(headers), { dialect: 'unknown', origin: { topic: null }, error: { message: null } })
  t.strictSame(recognise(headers).headers, headers)
})
