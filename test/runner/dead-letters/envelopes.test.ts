import t from 'tap'
import { unwrap } from '../../../runner/dead-letters/envelopes.ts'
import { fetched, TIME_MS } from '../_support/records.ts'

const value = Buffer.from([0, 1, 255])
const base64 = value.toString('base64')

t.test('takes the record out of an envelope of kafka-hooks', async t => {
  const envelope = {
    key: 'k',
    value: base64,
    headers: { tenant: 'a' },
    topic: 'orders',
    partition: 2,
    offset: '41',
    errors: [{ message: 'first' }, { code: 'HTTP_ERROR_500', message: 'boom', stack: 'at x' }],
    retries: 3
  }

  t.match(unwrap(fetched(1, envelope)), [
    {
      record: { key: Buffer.from('k'), value, timestampMs: TIME_MS },
      recognised: {
        dialect: 'kafka-hooks',
        origin: { topic: 'orders', partition: 2, offset: '41', attempts: 3 },
        error: { name: 'HTTP_ERROR_500', message: 'boom', stack: 'at x' },
        headers: [['tenant', Buffer.from('a')]]
      }
    }
  ])
})

t.test('takes all records out of an envelope of Lambda', async t => {
  const record = { topic: 'orders', partition: 2, offset: 41, timestamp: TIME_MS - 1, key: base64, value: base64 }
  const envelope = {
    requestContext: { functionArn: 'arn:f', condition: 'RetriesExhausted', approximateInvokeCount: 2, requestId: 'r' },
    responseContext: { functionError: 'Unhandled' },
    payload: {
      eventSource: 'aws:kafka',
      records: {
        'orders-2': [{ ...record, headers: [{ a: [0, 255] }] }],
        'orders-3': [{ ...record, partition: 3, key: null, value: null }]
      }
    }
  }

  t.match(unwrap(fetched(1, envelope)), [
    {
      record: { key: value, value, timestampMs: TIME_MS - 1 },
      recognised: {
        dialect: 'lambda',
        origin: { topic: 'orders', partition: 2, offset: '41', attempts: 2, timestampMs: TIME_MS - 1 },
        error: { name: 'Unhandled', message: 'RetriesExhausted' },
        headers: [['a', Buffer.from([0, 255])]]
      }
    },
    { record: { key: null, value: null }, recognised: { origin: { partition: 3 } } }
  ])
})

const others = [
  { when: 'is null', given: null },
  { when: 'is no JSON', given: '{' },
  { when: 'is a list', given: '[1]' },
  { when: 'is an event', given: { n: 1 } },
  { when: 'has records that are none', given: { payload: { records: { a: [{ topic: 7 }] } } } },
  { when: 'has an offset that is none', given: { topic: 'a', partition: 0, offset: 'x', errors: [], value: '' } },
  { when: 'tells of a batch without its records', given: { requestContext: {}, KafkaBatchInfo: {} } }
]
for (const { when, given } of others) {
  t.test(`is not misled by a value that ${when}`, async t => t.equal(unwrap(fetched(1, given)), null))
}
