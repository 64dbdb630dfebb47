import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import errorLogs from '../../functions/error-logs.ts'
import notifications from '../../functions/notifications.ts'
import systemMetrics from '../../functions/system-metrics.ts'
import userActivities from '../../functions/user-activities.ts'
import { testFunction } from '../../sdk/testing.ts'
import { type Exchange, isFailure } from '../../stack/demo/client.ts'
import { getGatewayUrl } from '../../stack/demo/find-gateway.ts'
import { createLatencies } from '../../stack/demo/latencies.ts'
import type { Reading } from '../../stack/demo/meters.ts'
import { createMeters } from '../../stack/demo/meters.ts'
import { parseOptions } from '../../stack/demo/options.ts'
import { createPace, createRate, toPeriods } from '../../stack/demo/pace.ts'
import { parseCpuTimes, parseMounts, parseTraffic, toCpuUsage } from '../../stack/demo/parse-proc.ts'
import { createProgress, toLine } from '../../stack/demo/progress.ts'
import { type Accepted, createSender } from '../../stack/demo/sender.ts'
import { toSummary } from '../../stack/demo/summary.ts'
import { createTally, toArrival } from '../../stack/demo/tally.ts'
import { createThresholdWatch } from '../../stack/demo/thresholds.ts'
import { toActivity, toErrorLog, toMetric, toNotification } from '../../stack/demo/to-events.ts'
import { waitForArrival } from '../../stack/demo/totals.ts'

const disk = (value: number, mount = '/'): Reading => ({ name: 'disk.usage', value, unit: 'ratio', labels: { mount } })
const exchange = (given: Partial<Exchange>): Exchange => ({
  request: { method: 'GET', route: '/api/messages/{id}' },
  status: 200,
  body: null,
  startedMs: 0,
  ms: 1.26,
  reason: '',
  ...given
})
const noTotals = { systemMetrics: 0, userActivities: 0, errorLogs: 0, notifications: 0, deadLetters: 0 }

t.test('a threshold tells of a crossing once, and again only after it was not above any more', async t => {
  const findCrossing = createThresholdWatch([{ name: 'disk.usage', above: 0.9 }])

  t.equal(findCrossing(disk(0.9)), null, 'at the limit is not above it')
  t.strictSame(findCrossing(disk(0.91)), { reading: disk(0.91), above: 0.9 })
  t.equal(findCrossing(disk(0.95)), null)
  t.ok(findCrossing(disk(0.95, '/data')), 'every disk is its own')
  t.equal(findCrossing({ ...disk(0.99), name: 'memory.usage' }), null)
  t.equal(findCrossing(disk(0.5)), null)
  t.ok(findCrossing(disk(0.92)))
})

t.test('a threshold concerns only readings with its labels', async t => {
  const findCrossing = createThresholdWatch([{ name: 'event-loop.delay', labels: { percentile: '99' }, above: 50 }])
  const delay = (percentile: string): Reading => ({
    name: 'event-loop.delay',
    value: 60,
    unit: 'ms',
    labels: { percentile }
  })

  t.equal(findCrossing(delay('50')), null)
  t.ok(findCrossing(delay('99')))
  t.equal(findCrossing(disk(0.99)), null)
})

t.test('the pace gives what is due, and makes up for one second at most', async t => {
  const pace = createPace(50, 1_000)

  t.equal(pace.due(1_000), 0)
  t.equal(pace.due(1_500), 25)
  pace.take(30)
  t.equal(pace.due(1_500), -5, 'what was taken too early is owed')
  t.equal(pace.due(1_700), 5)
  t.equal(pace.due(60_000), 50)
})

t.test('the rate is that of its window, or of the time since its start', async t => {
  const rate = createRate(5_000, 0)

  t.equal(rate.perSecond(0), 0)
  rate.add(20, 1_000)
  rate.add(20, 1_000)
  t.equal(rate.perSecond(2_000), 20)
  rate.add(10, 6_500)
  t.equal(rate.perSecond(7_000), 2, 'what is older than 5 s is forgotten')
})

const periods = [
  { rate: 1, given: { isBatch: false, tickMs: 10, reportMs: 10_000, sampleMs: 10_000 } },
  { rate: 50, given: { isBatch: false, tickMs: 10, reportMs: 1_000, sampleMs: 500 } },
  { rate: 51, given: { isBatch: true, tickMs: 100 } },
  { rate: 20_000, given: { isBatch: true, tickMs: 100, reportMs: 1_000, sampleMs: 100 } }
]

for (const { rate, given } of periods) {
  t.test(`sends ${given.isBatch ? 'in batches' : 'one by one'} at ${rate} events a second`, async t => {
    t.match(toPeriods(rate, { single: 10, batch: 100 }), given)
  })
}

t.test('CPU usage is what was busy between two looks, guests not counted twice', async t => {
  const before = parseCpuTimes('cpu  1 1 1 1\ncpu0 100 0 50 800 50 0 0 0 90 0\ncpu1 5 0 0 5 0 0 0 0 0 0\nintr 1 2\n')
  const after = parseCpuTimes('cpu0 120 5 70 840 55 5 5 0 90 0\ncpu1 5 0 0 5 0 0 0 0 0 0\ncpu2 1 1 1 1\n')

  t.strictSame(before[0], { cpu: 'cpu0', busy: 150, total: 1_000 })
  t.strictSame(toCpuUsage(before, after), [{ cpu: 'cpu0', usage: 0.55 }], 'cpu1 did not tick, cpu2 is new')
})

t.test('traffic is read by interface, without those that never carried anything', async t => {
  const dev = `Inter-|   Receive                        |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 834658339  255544    0    0    0     0          0         0 834658340  255544    0    0    0     0       0          0
  ifb0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
br-7dc:112       4    0    0    0     0          0         0      526       5    0    2    0     0       0          0
`
  t.strictSame(parseTraffic(dev), [
    { interface: 'lo', receivedBytes: 834_658_339, sentBytes: 834_658_340 },
    { interface: 'br-7dc', receivedBytes: 112, sentBytes: 526 }
  ])
  t.strictSame(parseTraffic(''), [])
})

t.test('mounts are the root and one place of each other disk, without images', async t => {
  const mounts = `proc /proc proc rw 0 0
overlay / overlay rw 0 0
/dev/sda1 /data\\040one ext4 rw 0 0
/dev/sda1 /etc/hosts ext4 rw 0 0
/dev/loop3 /snap/core squashfs ro 0 0
tmpfs /run tmpfs rw 0 0
`
  t.strictSame(parseMounts(mounts), ['/', '/data one'])
  t.strictSame(parseMounts(''), ['/'])
})

t.test('the meters of this machine give finite readings that system-metrics settles', async t => {
  const meters = createMeters()
  t.teardown(meters.close)
  const readings: Reading[] = []

  while (!readings.some(({ name }) => name === 'disk.usage')) readings.push(...(await meters.read()))

  for (const reading of readings) {
    const { outcome, error } = await testFunction(systemMetrics, { event: toMetric(reading, 'web-1', 0) })
    t.equal(outcome, 'settled', `${reading.name}: ${error}`)
  }
})

const failed = exchange({ status: 404, body: { code: 'SMG_GATEWAY_NO_MESSAGE', detail: 'There is no message 7' } })
const events = [
  { of: 'a request', definition: userActivities, event: toActivity(exchange({}), 'demo-7'), row: { userId: 'demo-7' } },
  {
    of: 'a request that was refused',
    definition: errorLogs,
    event: toErrorLog(failed),
    row: { level: 'warn', message: 'GET /api/messages/{id} was answered 404: There is no message 7' }
  },
  {
    of: 'a request without an answer',
    definition: errorLogs,
    event: toErrorLog(exchange({ status: null, reason: 'ECONNREFUSED' })),
    row: { level: 'error', message: 'GET /api/messages/{id} got no answer: ECONNREFUSED' }
  },
  {
    of: 'a crossing',
    definition: notifications,
    event: toNotification({ reading: disk(0.912), above: 0.9 }, 'web-1', 0),
    row: { title: 'disk.usage above 90 % on web-1', message: 'disk.usage / is 91.2 %' }
  }
]

t.test('the event loop has no delay before it was measured', async t => {
  const meters = createMeters()
  t.teardown(meters.close)

  for (let turn = 0; turn < 5; turn += 1) t.notOk((await meters.read()).some(({ name }) => name === 'event-loop.delay'))
})

for (const { of, definition, event, row } of events) {
  t.test(`the event of ${of} is one that its function settles`, async t => {
    t.match(await testFunction(definition, { event }), { outcome: 'settled', rows: [row], error: null })
  })
}

const exchanges = [
  { when: '200', given: exchange({}), failure: false },
  { when: '404 for something that is not there', given: exchange({ status: 404 }), failure: true },
  {
    when: '404 while an event is waited for',
    given: exchange({ status: 404, request: { method: 'GET', route: '/', mayBeMissing: true } }),
    failure: false
  },
  { when: '207', given: exchange({ status: 207 }), failure: true },
  { when: 'no answer', given: exchange({ status: null }), failure: true }
]

for (const { when, given, failure } of exchanges) {
  t.test(`${when} is ${failure ? 'a failure' : 'no failure'}`, async t => {
    t.equal(isFailure(given), failure)
  })
}

t.test('the sender counts each event of a batch by its own result', async t => {
  const tally = createTally()
  const accepted: Accepted[] = []
  const results = [{ status: 202, id: 'a' }, { status: 400 }, { status: 503, id: 'c' }]
  const client = t.captureFn(async (request: Exchange['request']) =>
    exchange({ request, status: 207, body: { results } })
  )
  const sender = createSender({ client, tally, onAccepted: one => accepted.push(one), onFatal: t.error })

  for (const n of [1, 2, 3]) sender.add('notifications', { n })
  await sender.drain()

  t.match(client.args(), [
    [{ route: '/api/produce/notifications/batch', body: { events: [{ n: 1 }, { n: 2 }, { n: 3 }] } }]
  ])
  t.strictSame(tally.notifications, { accepted: 1, refused: 1, unclear: 1 })
  t.match(accepted, [{ id: 'a', topic: 'notifications' }])
})

const answers = [
  { when: 'the gateway has it', status: 202, body: { id: 'a' }, counts: { accepted: 1, refused: 0, unclear: 0 } },
  { when: 'it is refused', status: 400, body: null, counts: { accepted: 0, refused: 1, unclear: 0 } },
  { when: 'Kafka did not acknowledge', status: 503, body: null, counts: { accepted: 0, refused: 0, unclear: 1 } },
  { when: 'there is no answer', status: null, body: null, counts: { accepted: 0, refused: 0, unclear: 1 } }
]

for (const { when, status, body, counts } of answers) {
  t.test(`the sender sends one event by its own route and counts it when ${when}`, async t => {
    const tally = createTally()
    const client = t.captureFn(async (request: Exchange['request']) => exchange({ request, status, body }))
    const sender = createSender({ client, tally, onAccepted: () => undefined, onFatal: t.error })

    sender.add('error-logs', { n: 1 })
    sender.flush(['system-metrics'], { isBatch: false })
    t.equal(sender.waiting(), 1, 'another topic is left alone')
    sender.flush(['error-logs'], { isBatch: false })
    await sender.drain()

    t.match(client.args(), [[{ route: '/api/produce/error-logs', body: { n: 1 } }]])
    t.strictSame(tally['error-logs'], counts)
  })
}

t.test('latencies are read by nearest rank', async t => {
  const latencies = createLatencies()
  t.strictSame(latencies.read(), { count: 0, p50Ms: null, p99Ms: null })

  for (let ms = 10; ms >= 1; ms -= 1) latencies.add(ms)

  t.strictSame(latencies.read(), { count: 10, p50Ms: 5, p99Ms: 10 })
})

const arrivals = [
  { when: 'all arrived', after: { systemMetrics: 10 }, missing: 0 },
  { when: 'others produced too', after: { systemMetrics: 15 }, missing: 0 },
  { when: 'one became a dead letter', after: { systemMetrics: 9, deadLetters: 1 }, missing: 0 },
  { when: 'two are away', after: { systemMetrics: 8 }, missing: 2 },
  { when: 'more of another topic do not make up for them', after: { systemMetrics: 8, errorLogs: 9 }, missing: 2 }
]

for (const { when, after, missing } of arrivals) {
  t.test(`${missing} events are missing when ${when}`, async t => {
    const tally = createTally()
    tally['system-metrics'].accepted = 10

    t.equal(toArrival(tally, noTotals, { ...noTotals, ...after }).missing, missing)
  })
}

const waits = [
  { when: 'everything has arrived', totals: [8, 10], lag: 0, last: 10 },
  { when: 'it is given up', totals: [8, 8, 8], lag: 2, last: 8 }
]

for (const { when, totals, lag, last } of waits) {
  t.test(`the waiting ends when ${when}`, async t => {
    const giveUp = new AbortController()
    let looks = 0
    const client = async (request: Exchange['request']) => {
      const systemMetrics = totals[looks] ?? 0
      looks += 1
      if (looks === totals.length && lag > 0) giveUp.abort()
      return exchange({ request, body: { totals: { ...noTotals, systemMetrics }, kafka: { consumerLag: lag } } })
    }
    const isComplete = ({ totals }: { totals: typeof noTotals }) => totals.systemMetrics === 10

    const look = await waitForArrival(client, { isComplete, onLook: () => undefined, giveUp: giveUp.signal })

    t.match(look, { totals: { systemMetrics: last }, lag })
    t.equal(looks, totals.length)
  })
}

const verdicts = [
  { missing: 0, lag: 0, says: 'Nothing is missing' },
  { missing: 2, lag: 2, says: 'NOT THERE YET: 2 accepted events; 2 records are not settled' },
  { missing: 2, lag: 0, says: 'MISSING: 2 accepted events' },
  { missing: null, lag: null, says: 'What arrived is not known' }
]

for (const { missing, lag, says } of verdicts) {
  t.test(`the summary says "${says}"`, async t => {
    const tally = createTally()
    tally['system-metrics'].accepted = 10
    const arrived = { 'system-metrics': 10 - (missing ?? 0), 'user-activities': 0, 'error-logs': 0, notifications: 0 }
    const text = toSummary({
      elapsedMs: 2_000,
      rate: 5,
      tally,
      arrival: missing === null ? null : { arrived, deadLetters: 0, missing },
      lag,
      visible: { count: 0, p50Ms: null, p99Ms: null },
      gatewayUrl: 'http://127.0.0.1:3000',
      source: 'web 1',
      session: 'demo-7'
    })

    t.match(text, says)
    t.match(text, '2.0 s: 5.0 accepted events a second, of 5 asked for')
    t.match(text, '/api/metrics?source=web%201&limit=5')
  })
}

const view = {
  elapsedMs: 5_400,
  totalMs: 30_000,
  counts: { accepted: 252, refused: 0, unclear: 0 },
  acceptedPerSecond: 50.04,
  lag: 3,
  visible: { count: 9, p50Ms: 18.4, p99Ms: 41 }
}

t.test('the progress is one line where there is no terminal, one every 5 s', async t => {
  const written: string[] = []
  const progress = createProgress({ write: text => written.push(text), isTerminal: false })

  for (const elapsedMs of [0, 4_999, 5_400, 9_999, 10_000]) progress.show(elapsedMs, () => ({ ...view, elapsedMs }))

  t.strictSame(
    written.map(line => line.slice(0, 4).trim()),
    ['5 s', '10 s']
  )
  t.equal(toLine(view), '5 s  accepted 252 (50.0/s)  refused 0  lag 3  POST → visible p50 18 ms, p99 41 ms (n = 9)')
})

t.test('the progress draws its own lines again on a terminal', async t => {
  const written: string[] = []
  const progress = createProgress({ write: text => written.push(text), isTerminal: true })

  progress.show(0, () => view)
  progress.finish({ ...view, lag: null })

  t.notOk(written[0]?.startsWith('\u001b[0A'), 'zero would be one line up')
  t.match(written[1], '\u001b[3A\u001b[2K')
  t.match(written[1], 'lag ?')
})

t.test('options have defaults', async t => {
  t.strictSame(parseOptions([]), { rate: 50, seconds: 30, url: null, isHelp: false })
  t.equal(parseOptions(['--rate', '500']).rate, 500)
  t.equal(parseOptions(['--url', 'http://host:3000/smg/']).url, 'http://host:3000/smg')
})

const wrongOptions = [
  ['--rate', '0'],
  ['--rate', '1.5'],
  ['--rate', '20001'],
  ['--seconds', 'ten'],
  ['--url', 'host'],
  ['--url', 'ftp://host'],
  ['--sekonds', '3'],
  ['more']
]

for (const args of wrongOptions) {
  t.test(`refuses ${args.join(' ')}`, async t => {
    t.throws(() => parseOptions(args), { code: 'SMG_DEMO_BAD_OPTION' })
  })
}

t.test('finds the gateway of a running stack, and says when none runs', async t => {
  const folder = t.testdir({ empty: {}, running: {}, starting: {} })
  writeFileSync(join(folder, 'running/stack.json'), '{"gatewayUrl":"http://127.0.0.1:3000"}')
  writeFileSync(join(folder, 'starting/stack.json'), '{"gatewayUrl":""}')

  t.equal(getGatewayUrl(join(folder, 'running')), 'http://127.0.0.1:3000')
  for (const name of ['empty', 'starting'])
    t.throws(() => getGatewayUrl(join(folder, name)), { code: 'SMG_DEMO_NOT_RUNNING', message: 'npm start' })
})
