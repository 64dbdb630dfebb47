import type { LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { withExtras } from '../../gateway/errors.ts'
import { kafkaErrors } from '../../kafka/errors.ts'
import type { AppendResult, OutgoingRecord, Producer } from '../../kafka/types.ts'
import { buildApp, fakeProducer, fakeWrites, functions } from './_support/build-app.ts'
import { buildDatabaseApp, openDatabase, PRODUCE_TIMEOUT_MS } from './_support/database-app.ts'
import { isDocumented } from './_support/documented.ts'
import { openRequest } from './_support/open-request.ts'

const url = '/api/produce/user-activities'
const event = { userId: 'user-001', action: 'login' }
const unknown = () => ({ error: new kafkaErrors.SMG_KAFKA_UNKNOWN_OUTCOME('no answer') })

const post = (key: string, payload: object | string = event) =>
  ({ method: 'POST', url, headers: { 'content-type': 'application/json', 'idempotency-key': key }, payload }) as const
const postBatch = (key: string, events: readonly object[]) =>
  ({ method: 'POST', url: `${url}/batch`, headers: { 'idempotency-key': key }, payload: { events } }) as const
const postLines = (key: string, lines: readonly string[]) =>
  ({
    method: 'POST',
    url: `${url}/batch`,
    headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': key },
    payload: lines.join('\n')
  }) as const
const said = ({ statusCode, headers, body }: LightMyRequestResponse) => ({
  statusCode,
  location: headers.location,
  body
})

/** A producer whose answers a test decides; what it was given is kept. */
function scripted(answers: ((record: OutgoingRecord) => AppendResult)[]) {
  const producer = fakeProducer()
  const append: Producer['append'] = async (topic, records) => {
    const accepted = await producer.append(topic, records, { timeoutMs: 0 })
    const answer = answers.shift()
    return answer ? records.map(answer) : accepted
  }
  return { ...producer, append }
}

t.test('POST /api/produce/{topic} with an Idempotency-Key', async t => {
  const producer = fakeProducer()
  const { app, sql } = await buildDatabaseApp(t, { producer })
  t.beforeEach(() => {
    producer.appended.length = 0
  })

  t.test('rule 24: gives a repeat the same answer, and writes one event', async t => {
    const first = await app.inject(post('one'))
    const again = await app.inject(post('"one"'))

    t.equal(first.statusCode, 202)
    t.strictSame(said(again), said(first))
    t.equal(producer.appended.length, 1)
    isDocumented(t, app, again)
  })

  t.test('rule 24: refuses the key with another body', async t => {
    await app.inject(post('two'))

    const other = await app.inject(post('two', { ...event, action: 'logout' }))

    t.match(other.json(), { status: 422, code: 'SMG_GATEWAY_KEY_REUSED' })
    t.equal(producer.appended.length, 1)
    isDocumented(t, app, other)
  })

  t.test('rule 24: lets one of many at the same instant produce', async t => {
    const responses = await Promise.all(Array.from({ length: 10 }, () => app.inject(post('three'))))

    const accepted = responses.filter(({ statusCode }) => statusCode === 202)
    t.ok(accepted.length >= 1)
    t.equal(new Set(accepted.map(({ body }) => body)).size, 1)
    for (const response of responses.filter(one => !accepted.includes(one))) {
      t.match(response.json(), { status: 409, code: 'SMG_GATEWAY_KEY_IN_FLIGHT' })
      t.equal(response.headers['retry-after'], '1')
      isDocumented(t, app, response)
    }
    t.equal(producer.appended.length, 1)
  })

  t.test('rule 24: means another request on another route', async t => {
    const [single, batch] = [await app.inject(post('four')), await app.inject(postBatch('four', [event]))]

    t.strictSame([single.statusCode, batch.statusCode], [202, 202])
    t.equal(producer.appended.length, 2)
  })

  t.test('stores nothing of a request that is not valid', async t => {
    t.match(await app.inject(post('five', { userId: '' })), { statusCode: 400 })
    t.match(await app.inject(post('five')), { statusCode: 202 })
  })

  const wrong = ['', '"', '"a', '"a"b"', '"a\\b"', 'ä', 'x'.repeat(256)]
  for (const key of wrong) {
    t.test(`answers 400 to the key ${key.slice(0, 10)}`, async t => {
      const response = await app.inject(post(key))

      t.match(response.json(), { status: 400, errors: [{ path: '/Idempotency-Key' }] })
      t.equal(producer.appended.length, 0)
      isDocumented(t, app, response)
    })
  }

  t.test('takes 255 characters, spaces and escapes', async t => {
    for (const key of ['x'.repeat(255), 'a b', '"a\\"b\\\\"']) t.match(await app.inject(post(key)), { statusCode: 202 })

    t.match(await sql`SELECT key FROM idempotency_keys WHERE key LIKE 'a%' ORDER BY key`, [
      { key: 'a b' },
      { key: 'a"b\\' }
    ])
  })
})

/** Two apps on one database: two gateways. */
async function twoGateways(t: Test, answers: ((record: OutgoingRecord) => AppendResult)[]) {
  const producer = scripted(answers)
  const { sql, queries, writes } = await openDatabase(t)
  const apps = [
    await buildApp(t, { producer, queries, writes }),
    await buildApp(t, { producer, queries, writes, now: Date.now })
  ] as const
  return { producer, apps, sql }
}

/** Gateways on one database whose function lets in the events of one user only. */
async function gatewaysOf(t: Test, answers: ((record: OutgoingRecord) => AppendResult)[]) {
  const producer = scripted(answers)
  const { sql, queries, writes } = await openDatabase(t)
  const appFor = (userId: string) => {
    const findFaults = (given: unknown) =>
      (given as typeof event).userId === userId ? null : [{ path: '/userId', message: 'is another' }]
    const changed = [...functions].map(([topic, one]) => [topic, { ...one, findFaults }] as const)
    return buildApp(t, { producer, queries, writes, functions: new Map(changed) })
  }
  return { producer, sql, appFor }
}

t.test('a request that Kafka did not acknowledge', async t => {
  t.test('rule 24: is produced again at once with the same id, partition and timestamp, by any gateway', async t => {
    const { producer, apps } = await twoGateways(t, [unknown])
    const [one, other] = apps

    const failed = await one.inject(post('k'))
    const repeated = await other.inject(post('k'))

    t.match(failed, { statusCode: 503 })
    const [first, second] = producer.appended.map(({ record }) => record)
    t.strictSame(second, first, 'byte for byte')
    t.match(repeated.json(), { id: first?.headers.id, partition: first?.partition })
    t.equal(Date.parse(repeated.json().timestamp), first?.timestampMs)
    t.strictSame(said(await one.inject(post('k'))), said(repeated))
    t.equal(producer.appended.length, 2)
  })

  t.test(
    'rule 24: is produced again with the same id when a gateway was killed over it, once its time is over',
    async t => {
      const { producer, apps, sql } = await twoGateways(t, [])
      const [one, other] = apps
      await one.inject(post('k'))
      await sql`UPDATE idempotency_keys SET status = NULL, answer = NULL`
      await sql`UPDATE idempotency_keys SET started_at = clock_timestamp()`

      t.match(await other.inject(post('k')), { statusCode: 409 })
      await sql`UPDATE idempotency_keys SET started_at = clock_timestamp() - ${PRODUCE_TIMEOUT_MS + 1} * interval '1 ms'`
      t.match(await other.inject(post('k')), { statusCode: 202 })

      const [first, second] = producer.appended.map(({ record }) => record)
      t.strictSame(second, first)
    }
  )

  t.test('is forgotten when it is refused for good, so that a repeat may fare better', async t => {
    const refuse = () => ({ error: new kafkaErrors.SMG_KAFKA_TOO_LARGE() })
    const { producer, apps, sql } = await twoGateways(t, [refuse])

    t.match(await apps[0].inject(post('k')), { statusCode: 413 })
    t.equal((await sql`SELECT FROM idempotency_keys`).length, 0)
    t.match(await apps[1].inject(post('k')), { statusCode: 202 })
    t.equal(producer.appended.length, 2)
  })

  t.test('keeps its id when it is refused after a send that nobody knows about', async t => {
    const refuse = () => ({ error: new kafkaErrors.SMG_KAFKA_TOO_LARGE() })
    const { producer, apps } = await twoGateways(t, [unknown, refuse])

    const statuses = []
    for (const app of [...apps, apps[0]]) statuses.push((await app.inject(post('k'))).statusCode)

    t.strictSame(statuses, [503, 413, 202])
    t.equal(new Set(producer.appended.map(({ record }) => record.headers.id)).size, 1)
  })
})

t.test('POST /api/produce/{topic}/batch with an Idempotency-Key', async t => {
  t.test('rule 24: gives a repeat the same answer, refused events included', async t => {
    const { producer, apps } = await twoGateways(t, [])
    const events = [event, { userId: 7 }, { ...event, userId: 'user-002' }]

    const first = await apps[0].inject(postBatch('k', events))
    const again = await apps[1].inject(postBatch('k', events))

    t.equal(first.statusCode, 207)
    t.strictSame(said(again), said(first))
    t.equal(producer.appended.length, 2)
    isDocumented(t, apps[1], again)
  })

  t.test('rule 24: sends again only what is not acknowledged, with the same ids', async t => {
    const users = ['user-001', 'user-002', 'user-003']
    const isLost = ({ key }: OutgoingRecord) => String(key) === 'user-002'
    const someLost = (record: OutgoingRecord) => (isLost(record) ? unknown() : { partition: 0, offset: '7' })
    const { producer, apps } = await twoGateways(t, [someLost])
    const events = users.map(userId => ({ ...event, userId }))

    const first = await apps[0].inject(postBatch('k', events))
    const again = await apps[1].inject(postBatch('k', events))

    t.match(first.json().results, [{ status: 202 }, { status: 503 }, { status: 202 }])
    t.equal(again.statusCode, 202)
    t.strictSame(
      producer.appended.map(({ record }) => String(record.key)),
      [...users, 'user-002']
    )
    t.strictSame(producer.appended[3]?.record, producer.appended[1]?.record)
    const [one, , three] = first.json().results
    t.match(again.json().results, [one, { id: producer.appended[1]?.record.headers.id }, three])
    t.strictSame(said(await apps[0].inject(postBatch('k', events))), said(again))
    isDocumented(t, apps[0], first)
  })

  t.test('rule 24: gives no event the id of another when a changed function lets others in', async t => {
    const { producer, sql, appFor } = await gatewaysOf(t, [unknown])
    const events = ['user-001', 'user-002'].map(userId => ({ ...event, userId }))
    const [first, other] = [await appFor('user-001'), await appFor('user-002')]

    const opened = await first.inject(postBatch('k', events))
    const [stored] = await sql`SELECT records FROM idempotency_keys`
    const changed = [await other.inject(postBatch('k', events)), await other.inject(postBatch('k', events))]
    const again = await first.inject(postBatch('k', events))

    t.match(opened, { statusCode: 503 })
    t.strictSame(Object.keys(stored?.records[0]), ['id', 'partition', 'index'], 'and nothing of the event')
    for (const response of changed) t.match(response.json(), { status: 422, code: 'SMG_GATEWAY_KEY_REUSED' })
    t.match(again, { statusCode: 207 }, 'its claim was let go')
    t.strictSame(
      producer.appended.map(({ record }) => String(record.key)),
      ['user-001', 'user-001']
    )
  })

  t.test('stores nothing of a batch without a valid event', async t => {
    const { apps, sql } = await twoGateways(t, [])

    t.match(await apps[0].inject(postBatch('k', [{ userId: 7 }])), { statusCode: 400 })
    t.equal((await sql`SELECT FROM idempotency_keys`).length, 0)
  })
})

t.test('POST /api/produce/{topic}/batch with NDJSON and an Idempotency-Key', async t => {
  const line = JSON.stringify(event)

  t.test('rule 24: gives a repeat the same answer, refused lines included', async t => {
    const { producer, apps } = await twoGateways(t, [])
    const lines = [line, '{', '', JSON.stringify({ ...event, userId: 'user-002' })]

    const first = await apps[0].inject(postLines('k', lines))
    const again = await apps[1].inject(postLines('k', lines))
    const other = await apps[1].inject(postLines('k', [...lines, '']))

    t.equal(first.statusCode, 207)
    t.match(first.json().results, [{ status: 202 }, { index: 1, status: 400 }, { index: 2, status: 202 }])
    t.strictSame(said(again), said(first))
    t.match(other.json(), { status: 422, code: 'SMG_GATEWAY_KEY_REUSED' })
    t.equal(producer.appended.length, 2)
    isDocumented(t, apps[1], again)
  })

  t.test('rule 24: sends again only what is not acknowledged, with the same ids', async t => {
    const isLost = ({ key }: OutgoingRecord) => String(key) === 'user-002'
    const someLost = (record: OutgoingRecord) => (isLost(record) ? unknown() : { partition: 0, offset: '7' })
    const { producer, apps } = await twoGateways(t, [someLost])
    const lines = ['user-001', 'user-002'].map(userId => JSON.stringify({ ...event, userId }))

    const first = await apps[0].inject(postLines('k', lines))
    const again = await apps[1].inject(postLines('k', lines))

    t.strictSame([first.statusCode, again.statusCode], [207, 202])
    t.equal(producer.appended.length, 3)
    t.strictSame(producer.appended[2]?.record, producer.appended[1]?.record)
  })

  t.test('writes 10,000 events down, and sends nothing of one more or of a body that is not whole', async t => {
    const { producer, apps, sql } = await twoGateways(t, [])
    const [app] = apps
    const lines = Array<string>(10_000).fill(line)

    const whole = await app.inject(postLines('whole', lines))
    const more = await app.inject(postLines('more', [...lines, line]))
    const large = await app.inject(postLines('large', [line, '\n'.repeat(4_194_304)]))
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': 'half' }
    const half = await openRequest(t, app, { path: `${url}/batch`, headers })
    half.write(`${line}\n`)
    const { status } = await half.answered // cut

    t.equal(whole.statusCode, 202)
    t.match(more.json(), { status: 413, code: 'SMG_GATEWAY_TOO_MANY_EVENTS', results: undefined })
    t.match(large.json(), { status: 413, code: 'SMG_GATEWAY_TOO_LARGE', results: undefined })
    t.equal(status, 408)
    t.equal(producer.appended.length, 10_000)
    t.strictSame([...(await sql`SELECT key FROM idempotency_keys`)], [{ key: 'whole' }])
    t.strictSame(said(await apps[1].inject(postLines('whole', lines))), said(whole))
  })

  t.test('answers 400 to a key that is none before the body is there', async t => {
    const { app } = await buildDatabaseApp(t)
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': '"' }
    const { write, answered } = await openRequest(t, app, { path: `${url}/batch`, headers })
    write(`${line}\n`)

    t.match((await answered).body, { status: 400, errors: [{ path: '/Idempotency-Key' }] })
  })
})

t.test('while PostgreSQL is away', async t => {
  const away = async () => {
    throw withExtras(Object.assign(new Error('away'), { code: 'SMG_GATEWAY_DATABASE_AWAY', statusCode: 503 }), {
      retryAfterSeconds: 1
    })
  }

  t.test('rule 24: produces nothing with a key, and goes on without one', async t => {
    const producer = fakeProducer()
    const app = await buildApp(t, { producer, writes: fakeWrites({ idempotency: { claim: away } }) })

    const keyed = await app.inject(post('k'))
    const keyedBatch = await app.inject(postBatch('k', [event]))

    for (const response of [keyed, keyedBatch]) {
      t.match(response.json(), { status: 503, code: 'SMG_GATEWAY_DATABASE_AWAY' })
      t.equal(response.headers['retry-after'], '1')
    }
    t.equal(producer.appended.length, 0)
    t.match(await app.inject({ method: 'POST', url, payload: event }), { statusCode: 202 })
  })

  t.test('answers with what Kafka acknowledged when it goes away after that', async t => {
    const app = await buildApp(t, { writes: fakeWrites({ idempotency: { finish: away } }) })

    t.match(await app.inject(post('k')), { statusCode: 202 })
  })
})

t.test('while Kafka is away', async t => {
  let isAway = false
  const partitionCount = async () => {
    if (isAway) throw new kafkaErrors.SMG_KAFKA_UNAVAILABLE()
    return 3
  }
  const { app, sql } = await buildDatabaseApp(t, { producer: fakeProducer({ partitionCount }) })
  const first = await app.inject(post('k'))

  isAway = true

  t.strictSame(said(await app.inject(post('k'))), said(first), 'what is answered stays answered')
  t.match(await app.inject(post('new')), { statusCode: 503 })
  t.equal((await sql`SELECT FROM idempotency_keys`).length, 1)
})

t.test('without a key nothing is asked of PostgreSQL', async t => {
  const asked: string[] = []
  const spy = (name: string) => async () => {
    asked.push(name)
    throw new Error(name)
  }
  const writes = fakeWrites({ idempotency: { claim: spy('claim'), find: spy('find'), finish: spy('finish') } })
  const app = await buildApp(t, { writes })

  t.match(await app.inject({ method: 'POST', url, payload: event }), { statusCode: 202 })
  t.match(await app.inject({ method: 'POST', url: `${url}/batch`, payload: { events: [event] } }), { statusCode: 202 })
  t.strictSame(asked, [])
})
