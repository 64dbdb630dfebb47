import t from 'tap'
import { kafkaErrors } from '../../../../kafka/errors.ts'
import { partitionOf } from '../../../../kafka/murmur2.ts'
import type { OutgoingRecord } from '../../../../kafka/types.ts'
import { buildApp, fakeProducer, functions, NOW_MS } from '../../_support/build-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const json = { 'content-type': 'application/json' }
const url = '/api/produce/user-activities'
const event = { userId: 'user-001', action: 'login' }
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

t.test('POST /api/produce/{topic}', async t => {
  const producer = fakeProducer()
  const app = await buildApp(t, { producer })

  t.test('writes the bytes as they came, and says where', async t => {
    producer.appended.length = 0
    const payload = '{ "userId":"user-001", "action":"login", "metadata":{"zero":-0,"twice":1,"twice":2} }'

    const response = await app.inject({ method: 'POST', url, headers: json, payload })

    const { id, ...rest } = response.json()
    const partition = partitionOf(Buffer.from('user-001'), 3)
    t.equal(response.statusCode, 202)
    t.match(id, UUID_V7)
    t.strictSame(rest, { topic: 'user-activities', partition, offset: '0', timestamp: '2026-01-31T12:00:00.000Z' })
    t.equal(response.headers.location, `/api/messages/${id}?topic=user-activities`)
    t.match(producer.appended, [
      {
        topic: 'user-activities',
        record: {
          partition,
          key: Buffer.from('user-001'),
          value: Buffer.from(payload),
          headers: { id, 'content-type': 'application/json', 'producer-id': 'smg-kafka-producer' },
          timestampMs: NOW_MS
        }
      }
    ])
    isDocumented(t, app, response)
  })

  t.test('passes a valid traceparent on, and no other', async t => {
    producer.appended.length = 0
    const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const zeros = '00-00000000000000000000000000000000-00f067aa0ba902b7-01'

    for (const traceparent of [valid, 'x', zeros]) {
      await app.inject({ method: 'POST', url, headers: { traceparent }, payload: event })
    }

    const passed = producer.appended.map(({ record }) => record.headers.traceparent)
    t.strictSame(passed, [valid, undefined, undefined])
  })

  t.test('spreads events without a key over the partitions', async t => {
    const producer = fakeProducer()
    const keyless = [...functions.values()].map(one => [one.topic, { ...one, key: () => null }] as const)
    const app = await buildApp(t, { producer, functions: new Map(keyless) })

    for (let count = 0; count < 3; count += 1) await app.inject({ method: 'POST', url, payload: event })

    t.strictSame(
      producer.appended.map(({ record }) => [record.key, record.partition]),
      [
        [null, 0],
        [null, 1],
        [null, 2]
      ]
    )
  })

  const refusals = [
    { when: 'a field is missing', payload: '{"userId":"u"}', status: 400, path: '/action' },
    { when: 'a field is unknown', payload: '{"userId":"u","action":"a","x":1}', status: 400, path: '/x' },
    {
      when: 'a number stands for a text: bodies are not coerced',
      payload: '{"userId":7,"action":"a"}',
      status: 400,
      path: '/userId'
    },
    { when: 'it is not JSON', payload: '{', status: 400, path: '' },
    { when: 'it is two documents', payload: '{} {}', status: 400, path: '' },
    { when: 'it is empty', payload: '', status: 400, path: '' },
    { when: 'it is null', payload: 'null', status: 400, path: '' },
    { when: 'it holds \\u0000', payload: '{"userId":"\\u0000","action":"a"}', status: 400, path: '/userId' },
    { when: 'it holds half of a pair', payload: '{"userId":"\\ud800","action":"a"}', status: 400, path: '/userId' },
    {
      when: 'a number is beyond a double',
      payload: '{"userId":"u","action":"a","metadata":{"n":1e400}}',
      status: 400,
      path: '/metadata/n'
    },
    {
      when: 'a key is __proto__',
      payload: '{"userId":"u","action":"a","metadata":{"__proto__":1}}',
      status: 400,
      path: '/metadata/__proto__'
    },
    {
      when: 'a key is constructor',
      payload: '{"userId":"u","action":"a","metadata":{"constructor":1}}',
      status: 400,
      path: '/metadata/constructor'
    },
    {
      when: 'it is nested too deeply',
      payload: `{"userId":"u","action":"a","metadata":{"n":${'['.repeat(64)}${']'.repeat(64)}}}`,
      status: 400
    },
    { when: 'it is not UTF-8', payload: Buffer.from([0x7b, 0xff, 0x7d]), status: 400, path: '' }
  ]

  for (const { when, payload, status, path } of refusals) {
    t.test(`refuses a body when ${when}`, async t => {
      producer.appended.length = 0

      const response = await app.inject({ method: 'POST', url, headers: json, payload })

      t.equal(response.statusCode, status)
      t.match(response.json(), { status, code: 'SMG_GATEWAY_INVALID', errors: [path === undefined ? {} : { path }] })
      t.strictSame(producer.appended, [], 'nothing is in Kafka')
      isDocumented(t, app, response)
    })
  }

  const types = [
    { type: 'application/json', status: 202 },
    { type: 'application/json; charset=utf-8', status: 202 },
    { type: 'Application/JSON;charset="UTF-8"', status: 202 },
    { type: 'application/json garbage', status: 415 },
    { type: 'application/json; charset=latin1', status: 415 },
    { type: 'application/json\ta', status: 415 },
    { type: 'application/jsonx', status: 415 },
    { type: 'text/plain', status: 415 },
    { type: 'application/x-www-form-urlencoded', status: 415 },
    { type: undefined, status: 415 }
  ]

  for (const { type, status } of types) {
    t.test(`answers ${status} to a body of type ${type}`, async t => {
      producer.appended.length = 0
      const headers = type === undefined ? {} : { 'content-type': type }

      const response = await app.inject({ method: 'POST', url, headers, payload: Buffer.from(JSON.stringify(event)) })

      t.equal(response.statusCode, status)
      t.equal(producer.appended.length, status === 202 ? 1 : 0)
    })
  }

  t.test('refuses a compressed body', async t => {
    const headers = { ...json, 'content-encoding': 'gzip' }

    t.match(await app.inject({ method: 'POST', url, headers, payload: event }), { statusCode: 415 })
  })

  t.test('takes a body of 1 MiB and no more', async t => {
    const ofBytes = (bytes: number) => {
      const frame = JSON.stringify({ ...event, metadata: { fill: '' } }).length
      return JSON.stringify({ ...event, metadata: { fill: 'x'.repeat(bytes - frame) } })
    }

    const fits = await app.inject({ method: 'POST', url, headers: json, payload: ofBytes(1_048_576) })
    const exceeds = await app.inject({ method: 'POST', url, headers: json, payload: ofBytes(1_048_577) })

    t.equal(fits.statusCode, 202)
    t.match(exceeds.json(), { status: 413, code: 'SMG_GATEWAY_TOO_LARGE' })
    isDocumented(t, app, exceeds)
  })

  const failures = [
    {
      when: 'it was withdrawn',
      error: new kafkaErrors.SMG_KAFKA_TIMEOUT(500),
      status: 503,
      code: 'SMG_GATEWAY_KAFKA_AWAY'
    },
    {
      when: 'nobody knows',
      error: new kafkaErrors.SMG_KAFKA_UNKNOWN_OUTCOME('no answer within 500 ms'),
      status: 503,
      code: 'SMG_GATEWAY_NOT_ACKNOWLEDGED'
    },
    {
      when: 'too much waits',
      error: new kafkaErrors.SMG_KAFKA_QUEUE_FULL(1),
      status: 503,
      code: 'SMG_GATEWAY_OVERLOADED'
    },
    {
      when: 'the topic takes less',
      error: new kafkaErrors.SMG_KAFKA_TOO_LARGE('user-activities'),
      status: 413,
      code: 'SMG_GATEWAY_TOPIC_TOO_SMALL'
    },
    {
      when: 'we built it wrongly',
      error: new kafkaErrors.SMG_KAFKA_BAD_RECORD('x'),
      status: 500,
      code: 'SMG_GATEWAY_INTERNAL'
    }
  ]

  for (const { when, error, status, code } of failures) {
    t.test(`never answers 2xx to an event that is not in Kafka: ${when}`, async t => {
      const append = async (_: string, records: readonly OutgoingRecord[]) => records.map(() => ({ error }))
      const app = await buildApp(t, { producer: fakeProducer({ append }) })

      const response = await app.inject({ method: 'POST', url, payload: event })

      t.match(response.json(), { status, code })
      t.equal(response.headers['retry-after'], status === 503 ? '1' : undefined)
      isDocumented(t, app, response)
    })
  }

  t.test('answers 503 at the deadline when the partitions are never named', async t => {
    const partitionCount = () => new Promise<never>(() => undefined)
    const app = await buildApp(t, { producer: fakeProducer({ partitionCount }), now: Date.now })
    await app.ready()
    const startedMs = performance.now()

    const response = await app.inject({ method: 'POST', url, payload: event })

    const ms = performance.now() - startedMs
    t.match(response, { statusCode: 503, headers: { 'retry-after': '1' } })
    t.ok(ms >= 450, `${ms} ms for PRODUCE_TIMEOUT_MS of 500`)
  })

  t.test('is there for the topics of functions only', async t => {
    for (const topic of [
      'nope',
      '__consumer_offsets',
      'dlq.smg.user-activities.user-activities',
      '..%2fuser-activities'
    ]) {
      const response = await app.inject({ method: 'POST', url: `/api/produce/${topic}`, payload: event })
      t.equal(response.statusCode, 404, topic)
    }
  })
})

t.test('POST /api/produce/{topic}/batch', async t => {
  const batchUrl = `${url}/batch`
  const producer = fakeProducer()
  const app = await buildApp(t, { producer })

  t.test('accepts all events, in their order', async t => {
    producer.appended.length = 0
    const events = Array.from({ length: 1000 }, (_, index) => ({ userId: 'one', action: `a${index}` }))

    const response = await app.inject({ method: 'POST', url: batchUrl, payload: { events } })

    t.equal(response.statusCode, 202)
    t.strictSame(
      producer.appended.map(({ record }) => JSON.parse(String(record.value))),
      events
    )
    const { results } = response.json()
    t.strictSame(
      results.map(({ index, id }: { index: number; id: string }) => [index, id]),
      producer.appended.map(({ record }, index) => [index, record.headers.id])
    )
    isDocumented(t, app, response)
  })

  t.test('lets the good events in and says why the others were not', async t => {
    producer.appended.length = 0
    const big = JSON.stringify({ ...event, metadata: { fill: 'x'.repeat(1_048_576) } })
    const payload = `{"events":[${[
      '{"userId":"u"}',
      JSON.stringify(event),
      '{"userId":"\\u0000","action":"a"}',
      '{"userId":"u","action":"a","metadata":{"n":1e400}}',
      big,
      '{"userId":"u","action":"zero","metadata":{"z":-0}}',
      `{"userId":"u","action":"deep","metadata":{"n":${'['.repeat(62)}${']'.repeat(62)}}}`,
      `{"userId":"u","action":"deeper","metadata":{"n":${'['.repeat(5000)}${']'.repeat(5000)}}}`
    ].join(',')}]}`

    const response = await app.inject({ method: 'POST', url: batchUrl, headers: json, payload })

    t.equal(response.statusCode, 207)
    t.match(response.json().results, [
      { index: 0, status: 400, error: { code: 'SMG_GATEWAY_INVALID', errors: [{ path: '/action' }] } },
      { index: 1, status: 202, id: UUID_V7 },
      { index: 2, status: 400, error: { errors: [{ path: '/userId' }] } },
      { index: 3, status: 400, error: { errors: [{ path: '/metadata/n' }] } },
      { index: 4, status: 413, error: { code: 'SMG_GATEWAY_TOO_LARGE' } },
      { index: 5, status: 202 },
      { index: 6, status: 202 },
      { index: 7, status: 400 }
    ])
    t.equal(producer.appended.length, 3)
    t.match(String(producer.appended[1]?.record.value), '"z":-0', 'equal in value to what was sent')
    isDocumented(t, app, response)
  })

  t.test('keeps -0 where every event is sound', async t => {
    producer.appended.length = 0

    await app.inject({
      method: 'POST',
      url: batchUrl,
      headers: json,
      payload: '{"events":[{"userId":"u","action":"a","metadata":{"z":[-0.0,-0.5,1e21]}}]}'
    })

    const sent = JSON.parse(String(producer.appended[0]?.record.value)).metadata.z
    t.ok(Object.is(sent[0], -0))
    t.strictSame(sent.slice(1), [-0.5, 1e21])
  })

  const refusals = [
    {
      when: 'none of the events is valid',
      payload: '{"events":[{},7]}',
      code: 'SMG_GATEWAY_BATCH_REFUSED',
      path: '/events/0/userId',
      results: 2
    },
    { when: 'there are no events', payload: '{"events":[]}', code: 'SMG_GATEWAY_INVALID', path: '/events' },
    {
      when: 'there are 1001',
      payload: JSON.stringify({ events: Array(1001).fill(event) }),
      code: 'SMG_GATEWAY_INVALID',
      path: '/events'
    },
    {
      when: 'a field is unknown',
      payload: JSON.stringify({ events: [event], x: 1 }),
      code: 'SMG_GATEWAY_INVALID',
      path: '/x'
    },
    { when: 'it is a list', payload: JSON.stringify([event]), code: 'SMG_GATEWAY_INVALID', path: '' },
    { when: 'it is not JSON', payload: '{"events":[', code: 'SMG_GATEWAY_INVALID', path: '' },
    { when: 'it is empty', payload: '', code: 'SMG_GATEWAY_INVALID', path: '' }
  ]

  for (const { when, payload, code, path, results } of refusals) {
    t.test(`refuses a batch when ${when}`, async t => {
      producer.appended.length = 0

      const response = await app.inject({ method: 'POST', url: batchUrl, headers: json, payload })

      t.match(response.json(), { status: 400, code, errors: [{ path }] })
      t.equal(response.json().results?.length, results)
      t.strictSame(producer.appended, [])
      isDocumented(t, app, response)
    })
  }

  t.test('answers 503 when Kafka took none of the valid events, and 207 when it took some', async t => {
    let accepted = 0
    let error: Error = new kafkaErrors.SMG_KAFKA_TIMEOUT(500)
    const append = async (_: string, records: readonly OutgoingRecord[]) =>
      records.map(({ partition }, index) => (index < accepted ? { partition, offset: '7' } : { error }))
    const app = await buildApp(t, { producer: fakeProducer({ append }) })
    const payload = { events: [event, event, { userId: 7 }] }

    const none = await app.inject({ method: 'POST', url: batchUrl, payload })
    error = new kafkaErrors.SMG_KAFKA_UNKNOWN_OUTCOME('no answer within 500 ms')
    const unknown = await app.inject({ method: 'POST', url: batchUrl, payload })
    accepted = 1
    const some = await app.inject({ method: 'POST', url: batchUrl, payload })

    t.match(unknown.json(), { status: 503, code: 'SMG_GATEWAY_NOT_ACKNOWLEDGED' })
    t.match(none.json(), {
      status: 503,
      code: 'SMG_GATEWAY_KAFKA_AWAY',
      results: [{ status: 503 }, { status: 503 }, { status: 400 }]
    })
    t.equal(none.headers['retry-after'], '1')
    t.equal(some.statusCode, 207)
    t.match(some.json().results, [{ status: 202, offset: '7' }, { status: 503 }, { status: 400 }])
    for (const response of [none, unknown, some]) isDocumented(t, app, response)
  })

  t.test('takes a body of BATCH_BODY_BYTES and no more', async t => {
    const payload = `{"events":[${' '.repeat(4_194_304)}]}`

    t.match(await app.inject({ method: 'POST', url: batchUrl, headers: json, payload }), { statusCode: 413 })
  })
})
