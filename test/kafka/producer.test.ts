import t from 'tap'
import type { AppendResult, SendReport } from '../../kafka/types.ts'
import { type Behaviour, createFakeProducer, kafkaJsError, record } from '../_support/fake-kafkajs.ts'
import { until } from '../_support/kafka.ts'
import { setClock } from '../_support/set-clock.ts'

// A real broker answers most of these tests' questions too (test/integration/kafka), but cannot be made to acknowledge
// half of a request, to lose an acknowledgement, or to answer in a chosen order.

const LONG = { timeoutMs: 20_000 }
const write: Behaviour = async (batch, _call, log) => log.write(batch)

function texts(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index))
}

function codes(results: readonly AppendResult[]) {
  return results.map(result => ('error' in result ? (result.error as Error & { code: string }).code : 'written'))
}

t.test('gives coordinates in the order of the records', async t => {
  const { producer } = createFakeProducer(write)
  t.teardown(() => producer.close())

  await producer.append('a', [record('0', { partition: 1 })], LONG)
  const results = await producer.append(
    'a',
    [record('1', { partition: 1 }), record('2'), record('3', { partition: 1 })],
    LONG
  )

  t.strictSame(results, [
    { partition: 1, offset: '1' },
    { partition: 0, offset: '0' },
    { partition: 1, offset: '2' }
  ])
})

t.test('adds to an offset that a number cannot hold', async t => {
  const answer = { topicName: 'p.a', partition: 0, errorCode: 0, baseOffset: '9007199254740993' }
  const { producer } = createFakeProducer(async () => [answer])
  t.teardown(() => producer.close())

  const results = await producer.append('a', [record('0'), record('1')], LONG)

  t.match(results, [{ offset: '9007199254740993' }, { offset: '9007199254740994' }])
})

t.test('gives nothing for no records', async t => {
  const { producer, batches } = createFakeProducer(write)
  t.teardown(() => producer.close())

  t.strictSame(await producer.append('a', [], LONG), [])
  t.equal(batches.length, 0)
})

t.test('rule 25: sends what was not acknowledged again, before anything newer of its partition', async t => {
  const { producer, log } = createFakeProducer(async (batch, call, log) =>
    log.write(batch, (_topic, partition) => call > 0 || partition === 0)
  )
  t.teardown(() => producer.close())

  const first = producer.append('a', [record('0'), record('1', { partition: 1 })], LONG)
  await new Promise(setImmediate)
  const second = producer.append('a', [record('2', { partition: 1 })], LONG)

  t.strictSame(codes([...(await first), ...(await second)]), ['written', 'written', 'written'])
  t.strictSame(log.values('p.a', 0), ['0'])
  t.strictSame(log.values('p.a', 1), ['1', '2'])
})

t.test('rule 25: does not call refused what the broker may have written before it refused it', async t => {
  const { producer } = createFakeProducer(async (batch, call, log) => {
    if (call > 0) throw kafkaJsError('MESSAGE_TOO_LARGE')
    const written = log.write(batch, (_topic, partition) => partition === 1)
    const error = kafkaJsError('NOT_ENOUGH_REPLICAS_AFTER_APPEND')
    return [...written, { topicName: 'p.a', partition: 0, errorCode: 20, error }]
  })
  t.teardown(() => producer.close())

  const results = await producer.append('a', [record('0'), record('1', { partition: 1 })], LONG)

  t.strictSame(codes(results), ['SMG_KAFKA_UNKNOWN_OUTCOME', 'written'])
})

t.test('rule 25: keeps the order when a send fails for the moment', async t => {
  const { producer, log } = createFakeProducer(async (batch, call, log) => {
    if (call < 2) throw kafkaJsError('NOT_LEADER_FOR_PARTITION')
    return log.write(batch)
  })
  t.teardown(() => producer.close())

  const results = await Promise.all(texts(0, 50).map(text => producer.append('a', [record(text)], LONG)))

  t.strictSame(new Set(codes(results.flat())), new Set(['written']))
  t.strictSame(log.values('p.a'), texts(0, 50))
})

t.test('rule 25: writes again, in order, what was written and not acknowledged', async t => {
  const { producer, log } = createFakeProducer(async (batch, call, log) => {
    const written = log.write(batch)
    if (call === 0) throw kafkaJsError('REQUEST_TIMED_OUT')
    return written
  })
  t.teardown(() => producer.close())

  const first = producer.append('a', [record('0'), record('1')], LONG)
  await new Promise(setImmediate)
  await producer.append('a', [record('2')], LONG)

  t.strictSame(await first, [
    { partition: 0, offset: '2' },
    { partition: 0, offset: '3' }
  ])
  t.strictSame(log.values('p.a'), ['0', '1', '0', '1', '2'])
})

t.test('has one send under way in a lane, and gathers meanwhile', async t => {
  let underWay = 0
  let most = 0
  const { producer, batches } = createFakeProducer(async (batch, _call, log) => {
    underWay += 1
    most = Math.max(most, underWay)
    await new Promise(resolve => setTimeout(resolve, 40))
    underWay -= 1
    return log.write(batch)
  })
  t.teardown(() => producer.close())

  const first = producer.append('a', [record('0')], LONG)
  await until(() => batches.length === 1)
  const later = texts(1, 100).map(text => producer.append('a', [record(text, { partition: Number(text) % 3 })], LONG))
  await Promise.all([first, ...later])

  t.equal(most, 1)
  t.strictSame(
    batches.map(([topic]) => topic?.messages.length),
    [1, 99]
  )
})

t.test('sends 2,000 records of a partition at most, and less when they are large', async t => {
  const { producer, batches } = createFakeProducer(write)
  t.teardown(() => producer.close())

  await producer.append(
    'a',
    texts(0, 4_500).map(text => record(text)),
    LONG
  )
  await producer.append(
    'b',
    texts(0, 4).map(() => record('x'.repeat(400_000))),
    LONG
  )
  await producer.append('c', [record('x'.repeat(2_000_000)), record('0')], LONG)

  t.strictSame(
    batches.map(([topic]) => topic?.messages.length),
    [2_000, 2_000, 500, 2, 2, 1, 1]
  )
})

t.test('sends at once when nothing was sent a moment ago, and lets what comes after that gather', async t => {
  const { producer, batches } = createFakeProducer(write, { lanes: 4, lingerMs: 1_000 })
  t.teardown(() => producer.close())

  const startedMs = performance.now()
  await producer.append('a', [record('0')], LONG)
  t.ok(performance.now() - startedMs < 900, 'at once')
  const second = producer.append('a', [record('1')], LONG)
  await new Promise(resolve => setTimeout(resolve, 10))
  await Promise.all([second, producer.append('a', [record('2', { partition: 1 })], LONG)])

  t.ok(performance.now() - startedMs >= 990, 'two sends begin that far apart')
  t.strictSame(
    batches.map(([topic]) => topic?.messages.length),
    [1, 2]
  )
})

t.test('does not make a full batch wait for company', async t => {
  const { producer } = createFakeProducer(write, { lingerMs: 3_600_000 })
  t.teardown(() => producer.close())
  await producer.append('a', [record('first')], LONG)

  const results = await producer.append(
    'a',
    texts(0, 1_000).map(text => record(text)),
    LONG
  )

  t.equal(results.filter(result => 'offset' in result).length, 1_000)
})

t.test('lets the others pass a partition whose send takes long, but none of its own records', async t => {
  let release: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const { producer, log, batches } = createFakeProducer(
    async (batch, call, log) => {
      if (call === 0) await held
      return log.write(batch)
    },
    { lanes: 2 }
  )
  t.teardown(() => producer.close())

  const slow = producer.append('a', [record('0')], LONG)
  await until(() => batches.length === 1)
  const behind = producer.append('a', [record('1'), record('2', { partition: 1 })], LONG)
  await producer.append('a', [record('3', { partition: 2 })], LONG)
  await until(() => log.values('p.a', 1).length === 1)
  t.strictSame(log.values('p.a'), [])
  release()

  t.strictSame(codes([...(await slow), ...(await behind)]), ['written', 'written', 'written'])
  t.strictSame(log.values('p.a'), ['0', '1'])
})

t.test('has no more sends under way than lanes, and gathers for the next', async t => {
  let release: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const { producer, batches } = createFakeProducer(
    async (batch, _call, log) => {
      await held
      return log.write(batch)
    },
    { lanes: 3 }
  )
  t.teardown(() => producer.close())

  const appends: Promise<AppendResult[]>[] = []
  for (const partition of [0, 1, 2, 3, 4]) {
    appends.push(producer.append('a', [record('0', { partition })], LONG))
    if (partition < 3) await until(() => batches.length === partition + 1)
  }
  await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(batches.length, 3)
  release()

  t.strictSame(codes((await Promise.all(appends)).flat()), Array(5).fill('written'))
  t.strictSame(
    batches.map(([topic]) => topic?.messages.length),
    [1, 1, 1, 2]
  )
})

t.test('settles at its deadline', async t => {
  t.test('withdraws what no send has taken, and never writes it', async t => {
    let release: () => void = () => undefined
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const { producer, batches, log } = createFakeProducer(async (batch, _call, log) => {
      await held
      return log.write(batch)
    })
    t.teardown(() => producer.close())

    const first = producer.append('a', [record('0')], LONG)
    await until(() => batches.length === 1)
    t.strictSame(codes(await producer.append('a', [record('1'), record('2')], { timeoutMs: 20 })), [
      'SMG_KAFKA_TIMEOUT',
      'SMG_KAFKA_TIMEOUT'
    ])
    release()
    await first
    await producer.append('a', [record('3')], LONG)

    t.strictSame(log.values('p.a'), ['0', '3'])
    t.equal(producer.queuedBytes(), 0)
  })

  t.test('knows nothing of what is in flight, and does not send it again', async t => {
    const { producer, batches } = createFakeProducer(async () => {
      await new Promise(resolve => setTimeout(resolve, 60))
      throw kafkaJsError('REQUEST_TIMED_OUT')
    })
    t.teardown(() => producer.close())

    t.strictSame(codes(await producer.append('a', [record('0')], { timeoutMs: 20 })), ['SMG_KAFKA_UNKNOWN_OUTCOME'])
    t.not(producer.queuedBytes(), 0, 'it counts until its send is over')
    await until(() => producer.queuedBytes() === 0)
    await new Promise(resolve => setTimeout(resolve, 150))

    t.equal(batches.length, 1)
  })

  t.test('knows nothing of what an earlier send has taken', async t => {
    const { producer } = createFakeProducer(async () => {
      throw kafkaJsError('NOT_ENOUGH_REPLICAS')
    })
    t.teardown(() => producer.close())

    t.strictSame(codes(await producer.append('a', [record('0')], { timeoutMs: 80 })), ['SMG_KAFKA_UNKNOWN_OUTCOME'])
    t.equal(producer.queuedBytes(), 0)
  })

  for (const others of [0, 1]) {
    t.test(`writes nothing that was withdrawn while a broker was connected to, with ${others} that wait`, async t => {
      let connected: () => void = () => undefined
      const connecting = new Promise<void>(resolve => {
        connected = resolve
      })
      const { producer, log, batches } = createFakeProducer(write, { connect: () => connecting })
      t.teardown(() => producer.close())

      const late = producer.append('a', [record('0'), record('1', { partition: 1 })], { timeoutMs: 20 })
      const waiting = producer.append(
        'a',
        texts(2, 2 + others).map(text => record(text)),
        LONG
      )
      t.strictSame(codes(await late), ['SMG_KAFKA_TIMEOUT', 'SMG_KAFKA_TIMEOUT'])
      connected()

      t.match(await waiting, [{ offset: '0' }].slice(0, others))
      await until(() => producer.queuedBytes() === 0)
      t.strictSame([log.values('p.a'), log.values('p.a', 1)], [['2'].slice(0, others), []])
      t.equal(batches.length, others)
      t.strictSame(await producer.append('a', [record('9', { partition: 1 })], LONG), [{ partition: 1, offset: '0' }])
    })
  }

  t.test('is sure that nothing is written when no broker could be reached', async t => {
    const connect = async () => Promise.reject(new Error('ECONNREFUSED'))
    const { producer, batches } = createFakeProducer(write, { connect })
    t.teardown(() => producer.close())

    t.strictSame(codes(await producer.append('a', [record('0')], { timeoutMs: 80 })), ['SMG_KAFKA_TIMEOUT'])
    t.equal(batches.length, 0)
  })
})

for (const { type, code } of [
  { type: 'MESSAGE_TOO_LARGE', code: 'SMG_KAFKA_TOO_LARGE' },
  { type: 'RECORD_LIST_TOO_LARGE', code: 'SMG_KAFKA_TOO_LARGE' },
  { type: 'INVALID_RECORD', code: 'SMG_KAFKA_REFUSED' }
]) {
  t.test(`fails one record of many, and none of its neighbours, on ${type}`, async t => {
    const { producer, log } = createFakeProducer(async (batch, _call, log) => {
      if (batch.some(({ messages }) => messages.some(({ value }) => String(value) === 'bad'))) throw kafkaJsError(type)
      return log.write(batch)
    })
    t.teardown(() => producer.close())
    const records = [
      ...texts(0, 700).map(text => record(text)),
      record('bad'),
      ...texts(700, 1_000).map(text => record(text))
    ]

    const [mixed, other] = await Promise.all([
      producer.append('a', records, LONG),
      producer.append('b', [record('0', { partition: 1 })], LONG)
    ])

    const results = codes(mixed)
    t.strictSame(
      results.filter(result => result !== 'written'),
      [code]
    )
    t.equal(results[700], code)
    t.strictSame(log.values('p.a'), texts(0, 1_000), 'in order, each once')
    t.strictSame(codes(other), ['written'])
  })
}

t.test('gives up at once what the broker will never take', async t => {
  const { producer, log } = createFakeProducer(async (batch, _call, log) => {
    if (batch.some(({ topic }) => topic === 'p.secret')) throw kafkaJsError('TOPIC_AUTHORIZATION_FAILED')
    return log.write(batch)
  })
  t.teardown(() => producer.close())

  const refused = await producer.append('secret', [record('0')], LONG)
  const written = await producer.append('a', [record('1')], LONG)

  t.match(refused, [{ error: { code: 'SMG_KAFKA_REFUSED', cause: { name: 'KafkaJSNumberOfRetriesExceeded' } } }])
  t.strictSame(codes(written), ['written'])
  t.strictSame(log.values('p.a'), ['1'])
})

for (const [when, first] of [
  ['a send that was written and not acknowledged', 'REQUEST_TIMED_OUT'],
  ['one with other partitions, of which one was refused', 'TOPIC_AUTHORIZATION_FAILED'],
  ['one with other partitions, of which one was too large', 'MESSAGE_TOO_LARGE']
] as const) {
  t.test(`rule 25: does not call a record unwritten that is refused after ${when}`, async t => {
    const { producer, log } = createFakeProducer(async (batch, call, log) => {
      if (call > 0 && batch.some(({ topic }) => topic === 'p.a')) throw kafkaJsError('TOPIC_AUTHORIZATION_FAILED')
      const written = log.write(batch)
      if (call === 0) throw kafkaJsError(first)
      return written
    })
    t.teardown(() => producer.close())

    const [doubtful] = await Promise.all([
      producer.append('a', [record('0')], LONG),
      producer.append('b', [record('1')], LONG)
    ])

    t.match(doubtful, [{ error: { code: 'SMG_KAFKA_UNKNOWN_OUTCOME', cause: { code: 'SMG_KAFKA_REFUSED' } } }])
    t.match(doubtful, [{ error: { message: /no answer at first, and then/ } }])
    t.strictSame(log.values('p.a'), ['0'])
    t.strictSame(codes(await producer.append('a', [record('2')], LONG)), ['SMG_KAFKA_REFUSED'])
  })
}

t.test('keeps a topic that is gone away from the others', async t => {
  const failed: string[] = []
  // As KafkaJS does: a producer that met a topic asks for its metadata with every later send.
  const { producer, log, seen } = createFakeProducer(async (batch, _call, log, met) => {
    if (!met.has('p.gone')) return log.write(batch)
    await new Promise(resolve => setTimeout(resolve, 20))
    failed.push(...batch.map(({ topic }) => topic))
    throw kafkaJsError('UNKNOWN_TOPIC_OR_PARTITION')
  })
  t.teardown(() => producer.close())

  const gone = [producer.append('gone', [record('0')], LONG)]
  for (const text of texts(0, 60)) {
    if (text === '9') gone.push(producer.append('gone', [record('1', { partition: 1 })], LONG))
    t.strictSame(codes(await producer.append('a', [record(text)], LONG)), ['written'])
    await new Promise(resolve => setTimeout(resolve, 5))
  }

  for (const [result] of await Promise.all(gone)) {
    t.match(result, { error: { code: 'SMG_KAFKA_NO_TOPIC', message: 'Kafka has no topic gone' } })
  }
  t.strictSame(log.values('p.a'), texts(0, 60))
  t.strictSame(
    failed.filter(topic => topic === 'p.a'),
    ['p.a'],
    'only the send that both were in failed for the other'
  )
  await until(() => seen.disconnected > 0)
})

t.test('waits for a topic that was made a moment ago', async t => {
  const { producer, log } = createFakeProducer(async (batch, call, log) => {
    if (call < 2) throw kafkaJsError('UNKNOWN_TOPIC_OR_PARTITION')
    return log.write(batch)
  })
  t.teardown(() => producer.close())

  t.strictSame(codes(await producer.append('a', [record('0')], LONG)), ['written'])
  t.strictSame(log.values('p.a'), ['0'])
})

t.test('sends again after its back-off, although the clock is set back meanwhile', async t => {
  const moveClock = setClock(t)
  const { producer, log } = createFakeProducer(async (batch, call, log) => {
    if (call > 0) return log.write(batch)
    setTimeout(() => moveClock(-3_600_000), 5)
    throw kafkaJsError('LEADER_NOT_AVAILABLE')
  })
  t.teardown(() => producer.close())

  t.strictSame(codes(await producer.append('a', [record('0')], { timeoutMs: 3_000 })), ['written'])
  t.strictSame(log.values('p.a'), ['0'])
})

t.test('lets nobody wait for a partition that hangs', async t => {
  const { producer, log } = createFakeProducer(
    async (batch, call, log) => {
      const hasSick = batch.some(({ messages }) => messages.some(({ partition }) => partition === 1))
      if (hasSick && call > 0) await new Promise(resolve => setTimeout(resolve, 10_000).unref())
      if (hasSick) throw kafkaJsError('LEADER_NOT_AVAILABLE')
      return log.write(batch)
    },
    { closeTimeoutMs: 10 }
  )
  t.teardown(() => producer.close())

  const sick = producer.append('a', [record('sick', { partition: 1 })], { timeoutMs: 600 })
  const startMs = Date.now()
  for (const text of texts(0, 20)) await producer.append('a', [record(text)], LONG)

  t.ok(Date.now() - startMs < 8_000, 'they went on')
  t.strictSame(log.values('p.a'), texts(0, 20))
  t.strictSame(codes(await sick), ['SMG_KAFKA_UNKNOWN_OUTCOME'])
})

t.test('refuses at once when too much waits, and takes again when it is gone', async t => {
  let release: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const behave: Behaviour = async (batch, _call, log) => {
    await held
    return log.write(batch)
  }
  const { producer } = createFakeProducer(behave, { maxQueuedBytes: 1_000 })
  t.teardown(() => producer.close())

  const first = producer.append('a', [record('x'.repeat(1_000))], LONG)
  t.strictSame(codes(await producer.append('a', [record('1'), record('2')], LONG)), [
    'SMG_KAFKA_QUEUE_FULL',
    'SMG_KAFKA_QUEUE_FULL'
  ])
  release()
  await first

  t.strictSame(codes(await producer.append('a', [record('3')], LONG)), ['written'])
  t.equal(producer.queuedBytes(), 0)
})

t.test('lets who is patient wait for room, in their order, and refuses when its time is over', async t => {
  const releases: (() => void)[] = []
  const behave: Behaviour = async (batch, _call, log) => {
    await new Promise<void>(resolve => releases.push(resolve))
    return log.write(batch)
  }
  const { producer, log } = createFakeProducer(behave, { maxQueuedBytes: 1_000 })
  const patient = (text: string, timeoutMs: number) =>
    producer.append('a', [record(text)], { timeoutMs, isPatient: true })

  const first = producer.append('a', [record('x'.repeat(1_000))], LONG)
  const late = patient('late', 20)
  const all = ['1', '2', '3'].map(text => patient(text, 20_000))
  t.strictSame(codes(await late), ['SMG_KAFKA_QUEUE_FULL'])
  t.strictSame(codes(await producer.append('a', [record('4')], LONG)), ['SMG_KAFKA_QUEUE_FULL'], 'who is not')
  const releasing = setInterval(() => releases.shift()?.(), 1)
  t.teardown(() => clearInterval(releasing))
  await first

  t.strictSame(codes((await Promise.all(all)).flat()), ['written', 'written', 'written'])
  t.strictSame(log.values('p.a').slice(1), ['1', '2', '3'])
  t.equal(producer.queuedBytes(), 0)
  await producer.close()
})

t.test('lets the patient in when what filled the queue was withdrawn, and refuses them when it closes', async t => {
  const { producer, batches } = createFakeProducer(() => new Promise(() => undefined), {
    maxQueuedBytes: 1_000,
    closeTimeoutMs: 500
  })
  const patient = { ...LONG, isPatient: true }

  void producer.append('a', [record('0'.repeat(50))], LONG)
  await until(() => batches.length === 1)
  const withdrawn = producer.append('a', [record('x'.repeat(1_000))], { timeoutMs: 20 })
  const next = producer.append('a', [record('y'.repeat(930))], patient)
  const last = producer.append('a', [record('z')], patient)
  t.strictSame(codes(await withdrawn), ['SMG_KAFKA_TIMEOUT'])
  await new Promise(setImmediate)
  let isOver = false
  void next.then(() => {
    isOver = true
  })
  void producer.close()

  t.strictSame(codes(await last), ['SMG_KAFKA_CLOSED'])
  t.notOk(isOver, 'at once')
  t.strictSame(codes(await next), ['SMG_KAFKA_TIMEOUT'], 'it was in')
})

t.test('lets the patient in when a send is over that nobody waits for any more', async t => {
  let release: () => void = () => undefined
  const { producer, log } = createFakeProducer(
    async (batch, call, log) => {
      if (call === 0) await new Promise<void>(resolve => (release = resolve))
      return log.write(batch)
    },
    { maxQueuedBytes: 1_000 }
  )
  t.teardown(() => producer.close())

  const given = producer.append('a', [record('x'.repeat(1_000))], { timeoutMs: 20 })
  const next = producer.append('a', [record('next')], { ...LONG, isPatient: true })
  t.strictSame(codes(await given), ['SMG_KAFKA_UNKNOWN_OUTCOME'])
  const startedMs = performance.now()
  release()

  t.strictSame(codes(await next), ['written'])
  t.ok(performance.now() - startedMs < 10_000, 'before its time is over')
  t.equal(log.values('p.a').at(-1), 'next')
})

t.test('refuses the patient, too, when as much waits for room as may be taken', async t => {
  let release: () => void = () => undefined
  const { producer, batches } = createFakeProducer(
    async (batch, call, log) => {
      if (call === 0) await new Promise<void>(resolve => (release = resolve))
      return log.write(batch)
    },
    { maxQueuedBytes: 1_000 }
  )
  t.teardown(() => producer.close())
  const patient = (text: string) => producer.append('a', [record(text)], { ...LONG, isPatient: true })

  const first = producer.append('a', [record('x'.repeat(1_000))], LONG)
  const large = patient('y'.repeat(2_000))
  const startedMs = performance.now()
  t.strictSame(codes(await patient('z')), ['SMG_KAFKA_QUEUE_FULL'])
  t.ok(performance.now() - startedMs < 10_000, 'at once')
  t.ok(producer.queuedBytes() > 3_000, 'what waits for room counts')
  await until(() => batches.length === 1)
  release()

  t.strictSame(codes([...(await first), ...(await large)]), ['written', 'written'], 'one alone is never too large')
  t.strictSame(codes(await patient('z')), ['written'])
  t.equal(producer.queuedBytes(), 0)
})

t.test('withdraws what is not wanted any more, and nothing that was sent', async t => {
  const releases: (() => void)[] = []
  const behave: Behaviour = async (batch, _call, log) => {
    await new Promise<void>(resolve => releases.push(resolve))
    return log.write(batch)
  }
  const { producer, log } = createFakeProducer(behave, { maxQueuedBytes: 2_000 })
  t.teardown(() => producer.close())
  const stop = new AbortController()
  const append = (text: string) =>
    producer.append('a', [record(text)], { ...LONG, isPatient: true, signal: stop.signal })

  const sent = append('sent')
  await until(() => releases.length === 1)
  const [queued, waiting] = [append('q'.repeat(2_000)), append('waiting')]
  stop.abort()

  t.strictSame(codes([...(await queued), ...(await waiting)]), ['SMG_KAFKA_WITHDRAWN', 'SMG_KAFKA_WITHDRAWN'])
  t.strictSame(codes(await append('later')), ['SMG_KAFKA_WITHDRAWN'])
  releases[0]?.()
  t.strictSame(codes(await sent), ['written'])
  t.strictSame(log.values('p.a'), ['sent'])
  t.equal(producer.queuedBytes(), 0)
})

const flaws = [
  { when: 'its header is null', flaw: { headers: { id: null } } },
  { when: 'its header is a number', flaw: { headers: { id: 7 } } },
  { when: 'its value is undefined', flaw: { value: undefined } },
  { when: 'its key is text', flaw: { key: 'k' } },
  { when: 'its partition is negative', flaw: { partition: -1 } },
  { when: 'its timestamp is no number', flaw: { timestampMs: Number.NaN } }
]

for (const { when, flaw } of flaws) {
  t.test(`fails a record alone when ${when}`, async t => {
    const { producer, log } = createFakeProducer(write)
    t.teardown(() => producer.close())
    const flawed = { ...record('bad'), ...(flaw as object) }

    const results = await producer.append('a', [record('0'), flawed, record('1')], LONG)

    t.strictSame(codes(results), ['written', 'SMG_KAFKA_BAD_RECORD', 'written'])
    t.strictSame(log.values('p.a'), ['0', '1'])
  })
}

t.test('is unhealthy after several failures in a row, until the first success', async t => {
  let isAway = true
  const { producer } = createFakeProducer(async (batch, _call, log) => {
    if (isAway) throw new Error('ECONNREFUSED')
    return log.write(batch)
  })
  t.teardown(() => producer.close())

  const appended = producer.append('a', [record('0')], LONG)
  t.equal(producer.isHealthy(), true)
  await until(() => !producer.isHealthy())
  isAway = false
  await appended

  t.equal(producer.isHealthy(), true)
})

t.test('is healthy again when nothing was sent since the failures', async t => {
  let now = 1_000
  const away = async () => {
    now += 400
    throw new Error('ECONNREFUSED')
  }
  const { producer } = createFakeProducer(away, { nowMs: () => now })
  t.teardown(() => producer.close())

  await producer.append('a', [record('0')], { timeoutMs: 500 })
  t.equal(producer.isHealthy(), false)
  now += 11_000
  t.equal(producer.isHealthy(), true)
})

t.test('is healthy although a record is too large', async t => {
  const { producer } = createFakeProducer(async () => {
    throw kafkaJsError('MESSAGE_TOO_LARGE')
  })
  t.teardown(() => producer.close())

  for (const text of texts(0, 5)) await producer.append('a', [record(text)], LONG)

  t.equal(producer.isHealthy(), true)
})

t.test('closes', async t => {
  t.test('sends what waits, then takes no more', async t => {
    const { producer, log, seen } = createFakeProducer(write, { lingerMs: 20 })

    const appended = producer.append('a', [record('0')], LONG)
    await producer.close()

    t.strictSame(codes(await appended), ['written'])
    t.strictSame(log.values('p.a'), ['0'])
    t.equal(seen.disconnected, seen.opened)
    t.strictSame(codes(await producer.append('a', [record('1')], LONG)), ['SMG_KAFKA_CLOSED'])
  })

  t.test('gives up in time when nothing is acknowledged', async t => {
    const { producer } = createFakeProducer(async () => new Promise(() => undefined), { closeTimeoutMs: 30 })

    const appended = producer.append('a', [record('0')], LONG)
    await producer.close()

    t.strictSame(codes(await appended), ['SMG_KAFKA_UNKNOWN_OUTCOME'])
  })
})

t.test('forgets withdrawn records while a broker is away for long', async t => {
  const { producer } = createFakeProducer(async () => new Promise(() => undefined), { closeTimeoutMs: 10 })
  t.teardown(() => producer.close())

  void producer.append('a', [record('0')], LONG)
  await new Promise(setImmediate)
  for (let round = 0; round < 5; round += 1) {
    await producer.append(
      'a',
      texts(0, 3_000).map(text => record(text)),
      { timeoutMs: 5 }
    )
  }

  t.ok(producer.queuedBytes() < 1_000)
})

t.test('rule 25: keeps every promise under random failures', async t => {
  const types = ['NOT_LEADER_FOR_PARTITION', 'REQUEST_TIMED_OUT', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION']
  const { producer, log } = createFakeProducer(
    async (batch, _call, log) => {
      await new Promise(resolve => setTimeout(resolve, Math.random() * 3))
      const dice = Math.random()
      // Lost acknowledgement, nothing written, part of it written, part acknowledged; or all well.
      if (dice < 0.1) log.write(batch)
      if (dice < 0.2) throw kafkaJsError(types[Math.floor(Math.random() * 3)] as string)
      if (dice < 0.3) log.write(batch, (_topic, partition) => partition % 2 === Math.round(dice * 100) % 2)
      if (dice < 0.3) throw kafkaJsError('NOT_ENOUGH_REPLICAS_AFTER_APPEND')
      const lost = Math.floor(Math.random() * 12)
      return log.write(batch, (_topic, partition) => dice > 0.45 || partition % 4 !== lost % 4)
    },
    { lanes: 3 }
  )
  t.teardown(() => producer.close())
  const places = ['a', 'b'].flatMap(topic => [0, 1, 2, 3].map(partition => ({ topic, partition })))
  const appended: { topic: string; partition: number; text: string; result: AppendResult | undefined }[] = []

  const appends = texts(0, 300).map(async text => {
    await new Promise(resolve => setTimeout(resolve, Number(text)))
    const place = places[Math.floor(Math.random() * places.length)] as { topic: string; partition: number }
    const wanted = [`${text}a`, `${text}b`].map(each => ({
      ...place,
      text: each,
      result: undefined as AppendResult | undefined
    }))
    appended.push(...wanted)
    const results = await producer.append(
      place.topic,
      wanted.map(each => record(each.text, place)),
      LONG
    )
    wanted.forEach((each, index) => {
      each.result = results[index]
    })
  })
  await Promise.all(appends)

  for (const { topic, partition } of places) {
    const values = log.values(`p.${topic}`, partition)
    const here = appended.filter(each => each.topic === topic && each.partition === partition)
    t.strictSame(
      [...new Set(values)],
      here.map(({ text }) => text),
      'first copies are all there, in order'
    )
    for (const { text, result } of here) {
      t.equal(values[Number((result as { offset: string }).offset)], text, 'at its offset')
    }
  }
  t.equal(producer.queuedBytes(), 0)
})

t.test('tells of each send how large it was and how it ended, and how many are under way', async t => {
  const begun: (() => void)[] = []
  const { producer } = createFakeProducer(async (batch, call, log) => {
    await new Promise<void>(resolve => begun.push(resolve))
    if (call === 0) throw kafkaJsError('NOT_ENOUGH_REPLICAS')
    return log.write(batch)
  })
  t.teardown(() => producer.close())
  const told: SendReport[] = []
  producer.onSend(send => void told.push(send))

  const sending = producer.append('a', [record('0'), record('1')], LONG)
  for (const send of [0, 1]) {
    await until(() => begun.length > send)
    t.equal(producer.sendsInFlight(), 1)
    begun[send]?.()
  }
  await sending

  t.match(told, [
    { records: 2, failure: 'NOT_ENOUGH_REPLICAS' },
    { records: 2, failure: null }
  ])
  t.ok(told.every(({ bytes, durationMs }) => bytes > 2 && durationMs >= 0))
  t.equal(producer.sendsInFlight(), 0)
})
