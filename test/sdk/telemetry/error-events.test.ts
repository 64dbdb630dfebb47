import { pino } from 'pino'
import t, { type Test } from 'tap'
import { loadFunctions } from '../../../sdk/load-functions.ts'
import { createErrorEvents } from '../../../sdk/telemetry/error-events.ts'
import { tapErrors } from '../../../sdk/telemetry/tap-errors.ts'

const functions = await loadFunctions(new URL('../../../functions', import.meta.url).pathname, { retentionHours: 1 })

/** A log whose lines are kept, and what is told of its errors. */
function openLog(t: Test) {
  const lines: string[] = []
  const errors = createErrorEvents({ service: 'gateway', source: 'gateway@web-1:3000' })
  const log = pino({ name: 'gateway', level: 'debug' }, tapErrors({ write: line => void lines.push(line) }, errors.add))
  const take = () => {
    const events = errors.take()
    for (const event of events) t.equal(functions.get('error-logs')?.findFaults(event), null, 'error-logs takes it')
    return events
  }
  return { log, lines, errors, take }
}

function coded(code: string, message: string, cause?: unknown) {
  return Object.assign(new Error(message, { cause }), { code })
}

t.test('tells of lines of level error and fatal, and of no other', async t => {
  const { log, lines, take } = openLog(t)
  const startedMs = Date.now()

  log.debug('a')
  log.warn({ err: new Error('b') }, 'b')
  log.error({ err: coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:9092') }, 'kafka takes no records')
  log.fatal('the end')

  const [error, fatal, ...rest] = take()
  t.match(error, {
    service: 'gateway',
    level: 'error',
    message: 'kafka takes no records: connect ECONNREFUSED 127.0.0.1:9092',
    stack: /^ {4}at /,
    context: { source: 'gateway@web-1:3000', count: 1, code: 'ECONNREFUSED' }
  })
  t.ok(Date.parse(error?.timestamp ?? '') >= startedMs, 'it has the time of its line')
  t.match(fatal, { level: 'fatal', message: 'the end' })
  t.strictSame(rest, [])
  t.equal(lines.length, 4, 'every line is written')
  t.strictSame(take(), [], 'each is told once')
})

t.test('makes one event of lines that say the same, and at most twenty events', async t => {
  const { log, errors, take } = openLog(t)

  for (let line = 0; line < 1_000; line += 1)
    log.error({ err: coded('SMG_DB_UNAVAILABLE', `${line}`) }, 'request failed')
  for (let kind = 0; kind < 100; kind += 1) log.error(`kind ${kind}`)

  t.equal(errors.count(), 1_100)
  const events = take()
  t.equal(events.length, 20)
  t.match(events[0], { message: 'request failed: 0', context: { count: 1_000, code: 'SMG_DB_UNAVAILABLE' } })
  t.equal(errors.count(), 0)
})

t.test('shows where a line belongs, and nothing else of it', async t => {
  const { log, take } = openLog(t)
  const own = log.child({ topic: 'orders', group: 'smg.orders' })

  own.error({ partition: 2, offset: '41', places: ['secret'], value: 'secret', reqId: 'r-1' }, 'a batch was not taken')

  const [event] = take()
  t.strictSame(event?.context, {
    source: 'gateway@web-1:3000',
    count: 1,
    topic: 'orders',
    group: 'smg.orders',
    partition: 2,
    offset: '41',
    reqId: 'r-1'
  })
})

const SECRET = 'canary-7'
const drizzle = Object.assign(new Error(`Failed query: insert\nparams: ${SECRET}`), { name: 'DrizzleQueryError' })
const leaks = [
  { when: 'an error without a code', err: new TypeError(`cannot read ${SECRET}`), says: 'failed: TypeError' },
  { when: 'an error in a query', err: drizzle, says: 'failed: DrizzleQueryError' },
  {
    when: 'what caused an error',
    err: coded('SMG_GATEWAY_DATABASE_AWAY', 'PostgreSQL does not answer', drizzle),
    says: 'failed: PostgreSQL does not answer: DrizzleQueryError'
  },
  { when: 'a constraint', err: coded('23505', `Key (id)=(${SECRET}) exists`), says: 'failed: Error 23505' },
  { when: 'a value', err: coded('22P02', `invalid input: "${SECRET}"`), says: 'failed: Error 22P02' },
  { when: 'a trigger', err: coded('P0001', SECRET), says: 'failed: Error P0001' },
  { when: 'an event', err: coded('SMG_SDK_BAD_EVENT', SECRET), says: 'failed: Error SMG_SDK_BAD_EVENT' },
  { when: 'an argument', err: coded('ERR_INVALID_ARG_TYPE', SECRET), says: 'failed: TypeError ERR_INVALID_ARG_TYPE' },
  { when: 'its own name', err: Object.assign(new Error('x'), { name: `a ${SECRET}` }), says: 'failed: Error' },
  { when: 'more lines', err: coded('ECONNRESET', `reset\n${SECRET}`), says: 'failed: reset' },
  { when: 'a reason', err: undefined, reason: SECRET, text: `stopped: ${SECRET}`, says: 'stopped: …' }
]
for (const { when, err, reason, text = 'failed', says } of leaks) {
  t.test(`repeats nothing of ${when}`, async t => {
    const { log, take } = openLog(t)
    if (err && says.includes('TypeError')) Object.setPrototypeOf(err, TypeError.prototype)

    log.error({ err, reason }, text)

    const [event] = take()
    t.equal(event?.message, says)
    t.notMatch(JSON.stringify(event), SECRET)
  })
}

const own = [
  { when: 'a line about error-logs', bindings: { topic: 'error-logs' } },
  { when: 'a line about system-metrics', bindings: { topic: 'system-metrics' } },
  { when: 'a line of a function', bindings: { topic: 'orders', attempt: 1 } }
]
for (const { when, bindings } of own) {
  t.test(`does not tell of ${when}`, async t => {
    const { log, errors, take } = openLog(t)

    log.child(bindings).error('failed')

    t.equal(errors.count(), 0)
    t.strictSame(take(), [])
  })
}

t.test('harms nobody who logs something that cannot be read', async t => {
  const { log, lines, take } = openLog(t)
  const hostile = new Error('x')
  Object.defineProperty(hostile, 'code', {
    get() {
      throw hostile
    }
  })
  const circular = new Error('its own cause')
  circular.cause = circular

  log.error({ value: hostile }, 'a')
  log.error({ err: circular }, 'b')
  log.error({ err: 'a text' }, 'c')
  log.error(undefined as unknown as string)

  t.equal(lines.length, 4)
  t.match(take(), [{ message: 'a' }, { message: /^b: Error: Error/ }, { message: 'c' }, { message: 'error' }])
})
