import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { kafkaErrors } from '../../../../../kafka/errors.ts'
import type { AppendResult, OutgoingRecord, Producer } from '../../../../../kafka/types.ts'
import { buildApp, fakeProducer, functions, settings } from '../../../_support/build-app.ts'
import { isDocumented } from '../../../_support/documented.ts'
import { openRequest, until } from '../../../_support/open-request.ts'

// NDJSON; JSON is in produce.test.ts.

const url = '/api/produce/user-activities/batch'
const ndjson = { 'content-type': 'application/x-ndjson' }
const event = { userId: 'user-001', action: 'login' }
const line = JSON.stringify(event)
const lines = (count: number) => Array.from({ length: count }, (_, index) => `{"userId":"one","action":"a${index}"}\n`)

type Appended = ReturnType<typeof fakeProducer>['appended']
const valuesOf = (appended: Appended) => appended.map(({ record }) => String(record.value))
const post = (payload: string | Buffer, headers: Record<string, string> = ndjson) =>
  ({ method: 'POST', url, headers, payload }) as const

t.test('POST /api/produce/{topic}/batch with NDJSON', async t => {
  const producer = fakeProducer()
  const app = await buildApp(t, { producer })
  t.beforeEach(() => {
    producer.appended.length = 0
  })

  t.test('accepts 10,000 events, in their order, and writes the lines as they came', async t => {
    const sent = lines(10_000)

    const response = await app.inject(post(sent.join('')))

    t.equal(response.statusCode, 202)
    t.strictSame(
      valuesOf(producer.appended),
      sent.map(one => one.trimEnd())
    )
    t.strictSame(
      response.json().results.map(({ index, id }: { index: number; id: string }) => [index, id]),
      producer.appended.map(({ record }, index) => [index, record.headers.id])
    )
    isDocumented(t, app, response)
  })

  t.test('lets the good lines in and says why the others were not', async t => {
    const payload = [
      `\ufeff ${line} \r`,
      '',
      '{"userId":"u"}',
      `${line} ${line}`,
      '{',
      '\t \r',
      '{"userId":"\\u0000","action":"a"}',
      JSON.stringify({ ...event, metadata: { fill: 'x'.repeat(1_048_576) } }),
      '{"userId":"漢字","action":"a","metadata":{"z":-0,"é":"😀"}}\r',
      `\ufeff${line}`,
      Buffer.from([0x22, 0xff, 0x22]),
      line
    ].map(one => Buffer.concat([Buffer.from(one), Buffer.from('\n')]))

    const response = await app.inject(post(Buffer.concat(payload).subarray(0, -1)))

    t.equal(response.statusCode, 207)
    t.match(response.json().results, [
      { index: 0, status: 202 },
      { index: 1, status: 400, error: { code: 'SMG_GATEWAY_INVALID', errors: [{ path: '/action' }] } },
      { index: 2, status: 400, error: { errors: [{ path: '' }] } },
      { index: 3, status: 400, error: { errors: [{ path: '' }] } },
      { index: 4, status: 400, error: { errors: [{ path: '/userId' }] } },
      { index: 5, status: 413, error: { code: 'SMG_GATEWAY_TOO_LARGE' } },
      { index: 6, status: 202 },
      { index: 7, status: 400 },
      { index: 8, status: 400, error: { errors: [{ path: '', message: 'is not UTF-8' }] } },
      { index: 9, status: 202 }
    ])
    t.equal(response.json().results.length, 10)
    t.strictSame(valuesOf(producer.appended), [
      ` ${line} `,
      '{"userId":"漢字","action":"a","metadata":{"z":-0,"é":"😀"}}',
      line
    ])
    isDocumented(t, app, response)
  })

  const refusals = [
    { when: 'none is valid', payload: '{}\n7', code: 'SMG_GATEWAY_BATCH_REFUSED', path: '/0/userId', results: 2 },
    { when: 'it is empty', payload: '', code: 'SMG_GATEWAY_INVALID', path: '' },
    { when: 'it has empty lines only', payload: '\n\r\n \n', code: 'SMG_GATEWAY_INVALID', path: '' },
    { when: 'it is JSON', payload: `{"events":[${line}]}`, code: 'SMG_GATEWAY_BATCH_REFUSED', path: /^\/0/, results: 1 }
  ]
  for (const { when, payload, code, path, results } of refusals) {
    t.test(`refuses a body when ${when}`, async t => {
      const response = await app.inject(post(payload))

      t.match(response.json(), { status: 400, code, errors: [{ path }] })
      t.equal(response.json().results?.length, results)
      t.strictSame(producer.appended, [])
      isDocumented(t, app, response)
    })
  }

  const types = [
    { headers: { 'content-type': 'application/x-ndjson; charset=utf-8' }, status: 202 },
    { headers: { 'content-type': 'Application/X-NDJSON;charset="UTF-8"' }, status: 202 },
    { headers: { 'content-type': 'application/x-ndjson; charset=latin1' }, status: 415 },
    { headers: { 'content-type': 'application/x-ndjson garbage' }, status: 415 },
    { headers: { 'content-type': 'application/x-ndjson\ta' }, status: 415 },
    { headers: { 'content-type': 'application/x-ndjsonx' }, status: 415 },
    { headers: { ...ndjson, 'content-encoding': 'gzip' }, status: 415 },
    { headers: { ...ndjson, 'content-encoding': 'identity' }, status: 202 },
    { headers: ndjson, to: '/api/produce/user-activities', status: 415 },
    { headers: ndjson, to: '/api/dead-letters/redrive', status: 415 }
  ]
  for (const { headers, status, to = url } of types) {
    t.test(`answers ${status} to ${JSON.stringify(headers)} at ${to}`, async t => {
      const response = await app.inject({ method: 'POST', url: to, headers, payload: line })

      t.equal(response.statusCode, status)
      t.equal(producer.appended.length, status === 202 ? 1 : 0)
      isDocumented(t, app, response)
    })
  }

  t.test('answers 415 where a route takes no body, as to any foreign type', async t => {
    const at = '/api/dead-letters/0190f5f0-0000-7000-8000-000000000000'
    for (const type of ['application/x-ndjson', 'application/x-foreign']) {
      const response = await app.inject({ method: 'DELETE', url: at, headers: { 'content-type': type }, payload: line })

      t.match(response.json(), { status: 415, code: 'SMG_GATEWAY_MEDIA_TYPE' })
    }
  })

  t.test('says of more than 10,000 lines what was accepted, and answers before the rest is there', async t => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    const open = await openRequest(t, app, { path: url, headers: ndjson, agent })

    open.write(lines(9_999).join(''))
    open.write(`7\n\n${line}\n`)
    const { status, body } = await open.answered

    t.match(body, { status: 413, code: 'SMG_GATEWAY_TOO_MANY_EVENTS' })
    t.equal(status, 413)
    t.equal(body.results.length, 10_000)
    t.strictSame(
      body.results.filter(({ status }: AppendStatus) => status !== 202).map(({ index }: AppendStatus) => index),
      [9_999]
    )
    t.equal(producer.appended.length, 9_999, 'and nothing else was sent')

    for (let count = 0; count < 50; count += 1) open.write(lines(1_000).join(''))
    open.end()
    const next = await openRequest(t, app, { path: url, headers: ndjson, agent })
    next.end(line)
    t.equal((await next.answered).status, 202, 'the connection is as good as before')
  })

  t.test('takes a body of NDJSON_BODY_BYTES and no more', async t => {
    const app = await buildApp(t, { producer, settings: { ...settings, ndjsonBodyBytes: 200_000 } })
    const fill = ' '.repeat(200_000 - line.length)
    const [fits, exceeds] = [`${fill}${line}`, `${line}\n${fill}`]

    t.match(await app.inject(post(fits)), { statusCode: 202 })
    const declared = await app.inject(post(exceeds))
    t.match(declared.json(), { status: 413, code: 'SMG_GATEWAY_TOO_LARGE', results: undefined })
    const saying = await openRequest(t, app, { path: url, headers: { ...ndjson, 'content-length': '200001' } })
    saying.write(`${line}\n`)
    t.match((await saying.answered).body, { status: 413, code: 'SMG_GATEWAY_TOO_LARGE', results: undefined })
    t.equal(producer.appended.length, 1, 'nothing is sent of a body that says that it is too long')

    const open = await openRequest(t, app, { path: url, headers: ndjson })
    open.write(`${line}\n`)
    await until(() => producer.appended.length === 2)
    open.write(fill)
    t.match((await open.answered).body, {
      status: 413,
      code: 'SMG_GATEWAY_TOO_LARGE',
      results: [{ index: 0, status: 202 }]
    })
    isDocumented(t, app, declared)
  })

  t.test('says of more than 10,000 empty lines what was accepted', async t => {
    const response = await app.inject(post(`${line}\n${'\n'.repeat(5_000)}${' \r\n'.repeat(5_001)}${line}`))

    t.match(response.json(), {
      status: 400,
      code: 'SMG_GATEWAY_INVALID',
      detail: /10000 empty lines/,
      results: [{ index: 0, status: 202 }]
    })
    isDocumented(t, app, response)
    t.match(await app.inject(post(`${line}\n${'\n'.repeat(10_000)}${line}`)), { statusCode: 202 })
  })

  t.test('answers with no more than was asked, however deep in long names the fault is', async t => {
    const bad = `${`{"${'~'.repeat(100)}":`.repeat(63)}1e400${'}'.repeat(63)}\n`

    for (const payload of [`${line}\n${bad.repeat(100)}`, bad.repeat(100)]) {
      const response = await app.inject(post(payload))

      t.ok(response.body.length < payload.length, `${response.body.length} of ${payload.length}`)
      t.match(response.json().results.at(-1).error.errors, [
        { path: /^\/~0/, message: 'is beyond the range of a number' }
      ])
    }
  })

  t.test('sends lines on while the others are still coming, byte by byte too', async t => {
    const open = await openRequest(t, app, { path: url, headers: ndjson })
    open.write(`${line}\n`)
    await until(() => producer.appended.length === 1)

    const second = Buffer.from('{"userId":"漢😀","action":"a"}\r\n')
    for (const byte of second) {
      open.write(Buffer.from([byte]))
      await sleep(1)
    }
    await until(() => producer.appended.length === 2)
    open.end(line)

    const { status, body } = await open.answered
    t.equal(status, 202)
    t.match(body.results, [{ index: 0 }, { index: 1 }, { index: 2 }])
    t.strictSame(valuesOf(producer.appended), [line, String(second).trimEnd(), line])
  })

  t.test('keeps the order of a key, and one partition without keys, however long Kafka takes to name them', async t => {
    let asked = 0
    const partitionCount = async () => {
      asked += 1
      await sleep(asked === 1 ? 60 : 0)
      return 3
    }
    const keyless = [...functions.values()].map(one => [one.topic, { ...one, key: () => null }] as const)
    for (const chosen of [functions, new Map(keyless)]) {
      asked = 0
      const producer = fakeProducer({ partitionCount })
      const app = await buildApp(t, { producer, functions: chosen })
      const open = await openRequest(t, app, { path: url, headers: ndjson })
      const sent = lines(20)
      for (const one of sent) {
        open.write(one)
        await sleep(2)
      }
      open.end()

      t.equal((await open.answered).status, 202)
      t.ok(asked > 1, 'they came in several chunks')
      t.strictSame(
        valuesOf(producer.appended),
        sent.map(one => one.trimEnd())
      )
      t.equal(new Set(producer.appended.map(({ record }) => record.partition)).size, 1)
    }
  })
})

t.test('a function that cannot give the key of a later line', async t => {
  const key = (given: unknown) => {
    const { userId } = given as typeof event
    if (userId === 'bad') throw new Error('relation "secrets" at 10.0.0.7')
    return userId
  }
  const wrong = [...functions.values()].map(one => [one.topic, { ...one, key }] as const)
  const producer = fakeProducer()
  const app = await buildApp(t, { producer, functions: new Map(wrong) })
  const open = await openRequest(t, app, { path: url, headers: ndjson })
  open.write(`${line}\n`)
  await until(() => producer.appended.length === 1)
  open.write('{"userId":"bad","action":"a"}\n')

  const { status, body } = await open.answered
  t.equal(status, 500)
  t.match(body, { code: 'SMG_GATEWAY_INTERNAL', results: [{ index: 0, status: 202 }] })
  t.equal(body.results.length, 1)
  t.notMatch(JSON.stringify(body), /secrets/)
})

interface AppendStatus {
  readonly index: number
  readonly status: number
}

/** A producer whose appends end when the test says so. */
function held(results: (records: readonly OutgoingRecord[], call: number) => AppendResult[] | null = () => null) {
  const kept = fakeProducer()
  const calls: { records: readonly OutgoingRecord[]; isPatient: boolean | undefined; release: () => void }[] = []
  const append: Producer['append'] = async (topic, records, options) => {
    const call = calls.length
    await new Promise<void>(release => {
      calls.push({ records, isPatient: options.isPatient, release })
    })
    return results(records, call) ?? kept.append(topic, records, options)
  }
  return { ...kept, append, calls }
}

const refuseWith = (error: Error) => (records: readonly OutgoingRecord[]) => records.map(() => ({ error }))

t.test('while Kafka is slow', async t => {
  t.test('reads no more than is on its way, and all of it when there is room again', async t => {
    const producer = held()
    const slow = { ...settings, produceTimeoutMs: 5_000, timeouts: { ...settings.timeouts, requestMs: 20_000 } }
    const app = await buildApp(t, { producer, settings: slow })
    const open = await openRequest(t, app, { path: url, headers: ndjson })
    const fill = `${JSON.stringify({ ...event, metadata: { fill: 'x'.repeat(100_000) } })}\n`

    let written = 0
    const offered = () => producer.calls.reduce((sum, { records }) => sum + records.length, 0)
    for (; written < 80; written += 1) open.write(fill)
    open.end()
    await until(() => offered() >= 20)
    await sleep(100)
    t.ok(offered() * fill.length < 2_097_152 + 200_000, `${offered()} of 80 are on their way`)

    const releasing = setInterval(() => {
      for (const { release } of producer.calls) release()
    }, 2)
    t.teardown(() => clearInterval(releasing))
    const { status, body } = await open.answered
    t.equal(status, 202)
    t.equal(body.results.length, 80)
    t.equal(producer.appended.length, 80)
    t.strictSame(
      producer.calls.map(({ isPatient }) => isPatient === true),
      producer.calls.map((_, call) => call > 0),
      'the first is refused when too much waits already, the others wait for room'
    )
  })

  const failures = [
    { when: 'it was withdrawn', error: new kafkaErrors.SMG_KAFKA_TIMEOUT(500), code: 'SMG_GATEWAY_KAFKA_AWAY' },
    {
      when: 'nobody knows of it',
      error: new kafkaErrors.SMG_KAFKA_UNKNOWN_OUTCOME('x'),
      code: 'SMG_GATEWAY_NOT_ACKNOWLEDGED'
    },
    { when: 'too much waits', error: new kafkaErrors.SMG_KAFKA_QUEUE_FULL(1), code: 'SMG_GATEWAY_OVERLOADED' }
  ]
  for (const { when, error, code } of failures) {
    t.test(`sends nothing behind a line that was not written because ${when}`, async t => {
      const producer = held((records, call) => (call === 1 ? refuseWith(error)(records) : null))
      const app = await buildApp(t, { producer })
      const open = await openRequest(t, app, { path: url, headers: ndjson })

      for (const call of [0, 1]) {
        open.write(`${line}\n`)
        await until(() => producer.calls.length === call + 1)
        producer.calls[call]?.release()
        await sleep(10)
      }
      open.write(`${line}\n`)
      await sleep(20)
      open.end('{}')

      const { status, body } = await open.answered
      t.equal(status, 207)
      t.match(body.results, [
        { index: 0, status: 202 },
        { index: 1, status: 503, error: { code } },
        { index: 2, status: 503, error: { code: 'SMG_GATEWAY_KAFKA_AWAY' } },
        { index: 3, status: 400 }
      ])
      t.equal(producer.calls.length, 2)
    })
  }

  t.test('answers 503 when it took nothing', async t => {
    const producer = held(refuseWith(new kafkaErrors.SMG_KAFKA_TIMEOUT(500)))
    const app = await buildApp(t, { producer })
    const open = await openRequest(t, app, { path: url, headers: ndjson })
    open.write(`${line}\n`)
    await until(() => producer.calls.length === 1)
    producer.calls[0]?.release()
    open.end(line)

    const { status, headers, body } = await open.answered
    t.equal(status, 503)
    t.equal(headers['retry-after'], '1')
    t.match(body, { code: 'SMG_GATEWAY_KAFKA_AWAY', results: [{ status: 503 }, { status: 503 }] })
  })

  t.test('answers 503 when it does not name the partitions', async t => {
    const partitionCount = async () => Promise.reject(new kafkaErrors.SMG_KAFKA_UNAVAILABLE())
    const app = await buildApp(t, { producer: fakeProducer({ partitionCount }) })

    const response = await app.inject(post(line))
    t.match(response.json(), { status: 503, code: 'SMG_GATEWAY_KAFKA_AWAY' })
    isDocumented(t, app, response)
  })
})

/** An app with what it logs above info, and what no one caught meanwhile. */
async function watchedApp(t: Test, producer: Producer) {
  const warnings: string[] = []
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  const log = pino({ level: 'warn' }, { write: text => void warnings.push(text) })
  return { app: await buildApp(t, { producer, log }), warnings, unhandled }
}

for (const isAnswered of [true, false]) {
  t.test(`a client that goes while Kafka has ${isAnswered ? 'answered' : 'not answered yet'}`, async t => {
    const producer = held()
    const { app, warnings, unhandled } = await watchedApp(t, producer)
    const statuses: number[] = []
    app.addHook('onSend', async (_request, reply) => void statuses.push(reply.statusCode))
    const open = await openRequest(t, app, { path: url, headers: ndjson })
    open.write(`${line}\n{"userId":`)
    await until(() => producer.calls.length === 1)

    if (isAnswered) producer.calls[0]?.release()
    open.destroy()
    await sleep(50)
    producer.calls[0]?.release()
    await until(() => statuses.length === 1)

    t.strictSame(valuesOf(producer.appended), [line], 'what was accepted stays so; half a line is none')
    t.strictSame(statuses, [400])
    t.strictSame(warnings, [])
    t.strictSame(unhandled, [])
  })
}

t.test('cuts a client that is slow, and says what was accepted', async t => {
  const producer = fakeProducer()
  const app = await buildApp(t, { producer, now: Date.now })
  const open = await openRequest(t, app, { path: url, headers: ndjson })
  const startedMs = performance.now()
  open.write(`${line}\n`)
  const dripping = setInterval(() => open.write(' '), 20)
  t.teardown(() => clearInterval(dripping))

  const { status, headers, body } = await open.answered

  const ms = performance.now() - startedMs
  t.ok(ms >= 800 && ms < 30_000, `${ms} ms with a limit of 1000`)
  t.equal(status, 408)
  t.equal(headers.connection, 'close')
  t.match(body, { code: 'SMG_GATEWAY_SLOW', results: [{ index: 0, status: 202 }] })
  t.equal(producer.appended.length, 1)
})

t.test('ends a body that is still coming when the gateway stops, and says what was accepted', async t => {
  const producer = fakeProducer()
  const timeouts = { ...settings.timeouts, requestMs: 60_000, idleMs: 60_000 }
  const app = await buildApp(t, { producer, settings: { ...settings, timeouts } })
  const open = await openRequest(t, app, { path: url, headers: ndjson })
  open.write(`${line}\n{"userId"`)
  await until(() => producer.appended.length === 1)
  const startedMs = performance.now()

  const closed = app.close()
  const { status, headers, body } = await open.answered
  await closed

  t.ok(performance.now() - startedMs < 30_000, 'before the limit of a request')
  t.equal(status, 503)
  t.match(headers, { connection: 'close', 'retry-after': '1' })
  t.match(body, { code: 'SMG_GATEWAY_CLOSING', results: [{ index: 0, status: 202 }] })
  t.equal(body.results.length, 1)
})
