import { setImmediate as nextTurn } from 'node:timers/promises'
import { Type } from '@sinclair/typebox'
import { pino } from 'pino'
import t from 'tap'
import { parseDefinition } from '../../sdk/parse-definition.ts'
import type { IdentifiedRecord } from '../../sdk/record.ts'
import { createRecordSettler, describe, type RunHandle, type SettleDependencies } from '../../sdk/settle-record.ts'
import { NonRetriableError, RetryAfterError } from '../../sdk/thrown.ts'
import type { Context, LoadedFunction } from '../../sdk/types.ts'
import { until } from '../_support/kafka.ts'

const ADA = { name: 'Ada' }
const uncaught: unknown[] = []
process.on('unhandledRejection', error => uncaught.push(error))

const event = Type.Object({ name: Type.String() })
const base = parseDefinition({ event }, { file: 'greetings.ts', topic: 'greetings', retentionHours: 1 })

const toPublished: SettleDependencies['toPublished'] = (topic, event) => ({
  topic,
  key: null,
  value: Buffer.from(JSON.stringify(event))
})

function build(options: Partial<LoadedFunction['options']> = {}, dependencies: Partial<SettleDependencies> = {}) {
  const definition = { ...base, options: { ...base.options, ...options } }
  return createRecordSettler(definition, {
    log: pino({ enabled: false }),
    shutdown: new AbortController().signal,
    toPublished,
    random: () => 1,
    ...dependencies
  })
}

const record = (value: unknown = ADA, given: Partial<IdentifiedRecord> = {}): IdentifiedRecord => ({
  ...{ id: '018bcfe5-687b-7000-8000-000000000000', topic: 'greetings', partition: 2, offset: '41' },
  ...{ timestampMs: 1_700_000_000_123, key: Buffer.from('k'), headers: [['id', Buffer.from('x')] as const] },
  value: Buffer.isBuffer(value) || value === null ? value : Buffer.from(JSON.stringify(value)),
  ...given
})

const shapes = [
  {
    how: 'throws',
    toHandle: (thrown: unknown) => (): never => {
      throw thrown
    }
  },
  { how: 'rejects with', toHandle: (thrown: unknown) => () => Promise.reject(thrown) }
]

t.test('gives what the function gave, at once when it is synchronous', async t => {
  const outcome = build()(record(), 1, () => 'effect')

  t.strictSame(outcome, { kind: 'handled', event: ADA, effect: 'effect', published: [] })
})

t.test('gives what the function gave later', async t => {
  const settle = build()
  // As Drizzle's queries are: a thenable, and no promise.
  const name = 'then'
  const thenable = { [name]: (resolve: (value: unknown) => void) => resolve('effect') }

  t.match(await settle(record(), 1, async () => 'effect'), { kind: 'handled', effect: 'effect' })
  t.match(await settle(record(), 1, () => thenable), { kind: 'handled', effect: 'effect' })
})

t.test('hands the event over with its record', async t => {
  const runHandle = t.captureFn(() => undefined)

  build()(record(), 1, runHandle as RunHandle)

  const [input, context] = runHandle.args()[0] as unknown as [{ headers: object }, Context]
  t.strictSame(
    { ...input, headers: { ...input.headers } },
    {
      ...{ event: ADA, id: '018bcfe5-687b-7000-8000-000000000000', key: 'k', headers: { id: 'x' } },
      ...{ timestamp: '2023-11-14T22:13:20.123Z', topic: 'greetings', partition: 2, offset: '41' }
    }
  )
  t.equal(context.attempt, 1)
})

t.test('a function that names its context may spread, wrap and extend it', async t => {
  const handle = (_input: unknown, _context: unknown) => undefined
  const settle = createRecordSettler(
    { ...base, handle },
    { log: pino({ enabled: false }), shutdown: new AbortController().signal, toPublished }
  )
  for (const wrap of [
    (context: Context) => ({ ...context }),
    (context: Context) => new Proxy(context, {}),
    (context: Context) => Object.create(context) as Context
  ]) {
    const outcome = settle(record(), 1, (_, context) => {
      const { attempt, isRedrive, log, signal, publish } = wrap(context)
      publish('greetings', ADA)
      return [attempt, isRedrive, typeof log.info, signal.aborted]
    })
    t.match(outcome, { kind: 'handled', effect: [1, false, 'function', false], published: [{}] })
  }
})

t.test('counts attempts by itself, whatever a function makes of its context', async t => {
  const outcome = build({ maxAttempts: 1 })(record(), 1, (_, context) => {
    Object.assign(context, { attempt: 'many' })
    throw new Error('no')
  })
  t.match(outcome, { kind: 'dead', attempts: 1 })
})

for (const timestampMs of [8.64e15 + 1, -9e15, Number.NaN]) {
  t.test(`hands over an event that is stamped ${timestampMs}`, async t => {
    const outcome = build()(record(ADA, { timestampMs }), 1, input => input.timestamp)

    t.match(outcome, { kind: 'handled', effect: '1970-01-01T00:00:00.000Z' })
  })
}

const unreadable = [
  { when: 'it is null', value: null, stage: 'decode', disposition: 'decode_failed', code: 'SMG_SDK_BAD_JSON' },
  {
    when: 'it is empty',
    value: Buffer.alloc(0),
    stage: 'decode',
    disposition: 'decode_failed',
    code: 'SMG_SDK_BAD_JSON'
  },
  {
    when: 'it is not JSON',
    value: Buffer.from('{'),
    stage: 'decode',
    disposition: 'decode_failed',
    code: 'SMG_SDK_BAD_JSON'
  },
  {
    when: 'it breaks the schema',
    value: { name: 7 },
    stage: 'validate',
    disposition: 'validation_failed',
    code: 'SMG_SDK_BAD_EVENT'
  }
]
for (const { when, value, stage, disposition, code } of unreadable) {
  t.test(`a record is dead when ${when}`, async t => {
    const runHandle = t.captureFn(() => undefined)

    t.match(build()(record(value), 1, runHandle), { kind: 'dead', stage, disposition, attempts: 0, error: { code } })
    t.equal(runHandle.calls.length, 0)
  })
}

t.test('a record is dead when it is too old, and is not handled', async t => {
  const settle = build({ maxAgeMs: 1_000 }, { ageMs: stampedMs => 1_700_000_000_123 + 1_001 - stampedMs })
  const runHandle = t.captureFn(() => undefined)
  const error = { code: 'SMG_SDK_EXPIRED' }

  t.match(settle(record(), 1, runHandle), {
    kind: 'dead',
    stage: 'handle',
    disposition: 'record_expired',
    attempts: 0,
    error
  })
  t.match(settle(record(), 3, runHandle), { attempts: 2 })
  t.equal(runHandle.calls.length, 0)
  t.match(
    settle(record(ADA, { timestampMs: 1_700_000_000_124 }), 1, runHandle),
    { kind: 'handled' },
    'not a moment before'
  )
})

const error = new Error('away')
const round = new Error('round')
round.cause = round
const anything: { what: string; thrown: unknown; error: object; text: string }[] = [
  { what: 'an error', thrown: error, error, text: 'away' },
  { what: 'a frozen error', thrown: Object.freeze(new Error('frozen')), error: { message: 'frozen' }, text: 'frozen' },
  { what: 'an error that is its own cause', thrown: round, error: round, text: 'round' },
  {
    what: 'an error whose message is none',
    thrown: Object.assign(new Error(), { message: { a: 1 } }),
    error: {},
    text: '[object Object]'
  },
  {
    what: 'a text',
    thrown: 'away',
    error: { code: 'SMG_SDK_THROWN', message: 'The function threw away', cause: 'away' },
    text: 'away'
  },
  {
    what: 'undefined',
    thrown: undefined,
    error: { code: 'SMG_SDK_THROWN', message: 'The function threw undefined' },
    text: 'undefined'
  },
  { what: 'null', thrown: null, error: { code: 'SMG_SDK_THROWN', cause: null }, text: 'null' },
  { what: 'a number', thrown: 7, error: { message: 'The function threw 7' }, text: '7' },
  {
    what: 'a symbol',
    thrown: Symbol('away'),
    error: { message: 'The function threw Symbol(away)' },
    text: 'Symbol(away)'
  },
  {
    what: 'a frozen object',
    thrown: Object.freeze({ a: 1 }),
    error: { message: 'The function threw {"a":1}' },
    text: '{"a":1}'
  },
  { what: 'a long text', thrown: 'x'.repeat(999), error: { code: 'SMG_SDK_THROWN' }, text: 'x'.repeat(200) },
  {
    what: 'a long object',
    thrown: { a: 'x'.repeat(999) },
    error: { code: 'SMG_SDK_THROWN' },
    text: `{"a":"${'x'.repeat(194)}`
  },
  {
    what: 'what JSON cannot show',
    thrown: { a: 1n },
    error: { code: 'SMG_SDK_THROWN' },
    text: 'something that cannot be shown'
  },
  {
    what: 'what throws when it is shown',
    thrown: {
      toJSON() {
        throw error
      }
    },
    error: { code: 'SMG_SDK_THROWN' },
    text: 'something that cannot be shown'
  },
  {
    what: 'what is nothing to JSON',
    thrown: { toJSON: () => undefined },
    error: { code: 'SMG_SDK_THROWN' },
    text: 'an object'
  }
]
for (const { what, thrown, error: expected, text } of anything) {
  for (const { how, toHandle } of shapes) {
    t.test(`a function that ${how} ${what} is called again, and the record is dead at last`, async t => {
      const settle = build()
      const handle = toHandle(thrown)

      t.match(await settle(record(), 1, handle), { kind: 'retry', nextAttempt: 2, waitMs: 100, error: expected })
      t.match(await settle(record(), 2, handle), { kind: 'retry', nextAttempt: 3, waitMs: 200 })
      const dead = { kind: 'dead', stage: 'handle', disposition: 'attempts_exhausted', attempts: 3, error: expected }
      t.match(await settle(record(), 3, handle), dead)
    })
  }
  t.test(`${what} is described`, async t => t.equal(describe(thrown), text))
}

for (const { how, toHandle } of shapes) {
  t.test(`a function that ${how} NonRetriableError gives the record up at once`, async t => {
    const thrown = new NonRetriableError('no such user')

    const outcome = await build()(record(), 2, toHandle(thrown))

    t.strictSame(outcome, { kind: 'dead', stage: 'handle', disposition: 'non_retriable', attempts: 2, error: thrown })
  })

  t.test(
    `a function that ${how} RetryAfterError says when it is called again, and how often stays as it is`,
    async t => {
      const settle = build()

      t.match(await settle(record(), 1, toHandle(new RetryAfterError(70_000))), { kind: 'retry', waitMs: 70_000 })
      t.match(await settle(record(), 1, toHandle(new RetryAfterError(-1))), { kind: 'retry', waitMs: 100 })
      t.match(await settle(record(), 3, toHandle(new RetryAfterError(1))), {
        kind: 'dead',
        disposition: 'attempts_exhausted'
      })
    }
  )
}

const waits = [
  { attempt: 1, random: 0, waitMs: 50 },
  { attempt: 1, random: 0.5, waitMs: 75 },
  { attempt: 2, random: 0, waitMs: 100 },
  { attempt: 3, random: 1, waitMs: 400 },
  { attempt: 4, random: 1, waitMs: 500 },
  { attempt: 99, random: 0, waitMs: 250 }
]
for (const { attempt, random, waitMs } of waits) {
  t.test(`waits ${waitMs} ms after attempt ${attempt} when chance is ${random}`, async t => {
    const settle = build({ maxAttempts: 100, backoffMs: { min: 100, max: 500 } }, { random: () => random })

    t.match(await settle(record(), attempt, () => Promise.reject(error)), { kind: 'retry', waitMs })
  })
}

t.test('an attempt that takes too long', async t => {
  const endless =
    (runs: (context: Context) => void = () => undefined): RunHandle =>
    (_, context) => {
      runs(context)
      return new Promise(() => undefined)
    }
  const timeout = { code: 'SMG_SDK_TIMEOUT', message: 'No answer from the function within 5 ms' }

  t.test('is a failed one, and the last of them says why the record is dead', async t => {
    const settle = build({ timeoutMs: 5 })

    t.match(await settle(record(), 1, endless()), { kind: 'retry', nextAttempt: 2, error: timeout })
    const dead = { kind: 'dead', stage: 'handle', disposition: 'timed_out', attempts: 3, error: timeout }
    t.match(await settle(record(), 3, endless()), dead)
  })

  t.test('is told by its signal, also when it looks late', async t => {
    let late: Context | undefined
    let told: unknown
    const settle = build({ timeoutMs: 5 })

    await settle(
      record(),
      1,
      endless(({ signal }) => signal.addEventListener('abort', () => (told = signal.reason)))
    )
    await settle(
      record(),
      1,
      endless(context => (late = context))
    )

    t.match(told, timeout)
    t.match(late?.signal, { aborted: true, reason: timeout })
  })

  t.test('is over: what it does later has no effect and disturbs nobody', async t => {
    let fail = (_: Error) => {}
    let late: Context | undefined
    const outcome = await build({ timeoutMs: 5 })(record(), 1, (_, context) => {
      late = context
      return new Promise((_, reject) => {
        fail = reject
      })
    })
    fail(error)
    await nextTurn()

    t.match(outcome, { kind: 'retry', error: timeout })
    t.throws(() => late?.publish('other', {}), { code: 'SMG_SDK_SETTLED' })
    t.strictSame(uncaught, [])
  })

  t.test('leaves no timer when it ends in time', async t => {
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    const before = timers()

    await build({ timeoutMs: 60_000 })(record(), 1, async () => 'effect')
    await build({ timeoutMs: 60_000 })(record(), 1, () => Promise.reject(error))

    t.equal(timers(), before)
  })
})

t.test('what a function publishes', async t => {
  t.test('comes with its effect, in order', async t => {
    const outcome = await build()(record(), 1, async (_, { publish }) => {
      publish('a', { n: 1 })
      publish('b', { n: 2 })
    })

    t.match(outcome, {
      kind: 'handled',
      published: [
        { topic: 'a', value: Buffer.from('{"n":1}') },
        { topic: 'b', value: Buffer.from('{"n":2}') }
      ]
    })
  })

  t.test('is taken in the attempt: what cannot be published fails it', async t => {
    const refuse = (topic: string, event: unknown): never => {
      throw new Error(`no ${topic} ${JSON.stringify(event)}`)
    }
    const settle = build({}, { toPublished: refuse })

    const outcome = settle(record(), 1, (_, { publish }) => publish('b', { n: 2 }))

    t.match(outcome, { kind: 'retry', error: { message: 'no b {"n":2}' } })
  })

  t.test('is nothing of the attempt before', async t => {
    const settle = build()
    settle(record(), 1, (_, { publish }) => {
      publish('a', {})
      throw error
    })

    t.match(
      settle(record(), 2, () => 1),
      { kind: 'handled', published: [] }
    )
  })

  for (const [how, handle] of [
    ['handled', () => undefined],
    ['handled later', async () => undefined],
    ['given up', () => Promise.reject(new NonRetriableError('no'))]
  ] as const) {
    t.test(`rule 15: is refused once the record is ${how}`, async t => {
      let kept: Context | undefined
      const late: string[] = []
      const settle = build({}, { onLateCall: () => late.push('late') })
      const outcome = await settle(record(), 1, (_, context) => {
        kept = context
        return handle()
      })

      t.throws(() => kept?.publish('a', {}), { code: 'SMG_SDK_SETTLED' })
      t.equal(late.length, 1, 'it is counted')
      t.match(outcome, outcome.kind === 'handled' ? { published: [] } : { kind: 'dead' })
    })
  }
})

t.test('at shutdown', async t => {
  const stopping = new Error('stopping')

  for (const { how, toHandle } of shapes) {
    t.test(`nothing is settled when a function ${how} something`, async t => {
      const shutdown = new AbortController()
      const settle = build({ maxAttempts: 1 }, { shutdown: shutdown.signal })

      await t.rejects(async () => {
        await settle(record(), 1, () => {
          shutdown.abort(stopping)
          return toHandle(error)()
        })
      }, stopping)
    })
  }

  t.test('a function is told by its signal', async t => {
    const shutdown = new AbortController()
    let told: unknown
    const settled = build({}, { shutdown: shutdown.signal })(record(), 1, (_, { signal }) => {
      shutdown.abort(stopping)
      told = signal.reason
      return Promise.reject(error)
    })

    await t.rejects(settled as Promise<unknown>, stopping)
    t.equal(told, stopping)
  })

  t.test('what was handled is handled', async t => {
    const shutdown = new AbortController()
    const settle = build({}, { shutdown: shutdown.signal })

    t.match(await settle(record(), 1, async () => shutdown.abort(stopping)), { kind: 'handled' })
  })
})

for (const { how, toHandle } of shapes) {
  t.test(`what is not the record's fault is passed on when a function ${how} it`, async t => {
    const isForeign = (thrown: unknown) => thrown === error
    const settle = build({ maxAttempts: 1 }, { isForeign })

    await t.rejects(async () => settle(record(), 1, toHandle(error)), error)
    t.match(await settle(record(), 1, toHandle(round)), { kind: 'dead' })
  })
}

t.test('logs with the place of the record, its trace and the attempt', async t => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => void lines.push(line) })

  const headers = [['traceparent', Buffer.from(`00-${traceId}-00f067aa0ba902b7-01`)] as const]

  await build({}, { log })(record(ADA, { headers }), 2, (_, context) => {
    context.log.info('one')
    context.log.info('two')
  })

  await until(() => lines.length === 2)
  const place = { topic: 'greetings', partition: 2, offset: '41', attempt: 2 }
  t.match(JSON.parse(lines[1] ?? ''), { msg: 'two', ...place, traceId })
})

t.test('nothing was left alone', async t => t.strictSame(uncaught, []))
