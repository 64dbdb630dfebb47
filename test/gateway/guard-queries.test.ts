import postgres from 'postgres'
import t from 'tap'
import { coalesce } from '../../gateway/coalesce.ts'
import { isDriverSlip } from '../../gateway/driver-slip.ts'
import { guardQueries, type QueryReport } from '../../gateway/guard-queries.ts'
import { createMinuteStats } from '../../gateway/minute-stats.ts'

const NOW_MS = 1_000_000

function guard(query: () => Promise<unknown>, { maxPending = 10 } = {}) {
  const latency = createMinuteStats(() => NOW_MS)
  const reports: QueryReport[] = []
  const onQuery = (report: QueryReport) => void reports.push(report)
  const guarded = guardQueries({ room: { query } }, { timeoutMs: 50, maxPending, latency, onQuery, now: () => NOW_MS })
  return { query: guarded.room.query, latency, reports }
}

const hang = () => new Promise<never>(() => undefined)
const postgresError = (code: string) =>
  Object.assign(Object.create(postgres.PostgresError.prototype), { code, message: code }) as Error

t.test('gives what a query gives, and measures it', async t => {
  const { query, latency } = guard(async () => 7)

  t.equal(await query(), 7)
  t.match(latency.read(), { rate: 1, meanMs: Number, p99Ms: Number })
})

t.test('says that PostgreSQL is away when it does not answer in time', async t => {
  const { query, reports } = guard(hang)
  await t.rejects(query(), { code: 'SMG_GATEWAY_DATABASE_AWAY', statusCode: 503, retryAfterSeconds: 1 })
  t.match(reports, [{ name: 'room.query', isAway: true }])
})

t.test('tells of each query whether it found PostgreSQL', async t => {
  const fates = [
    async () => 7,
    () => Promise.reject(postgresError('57P01')),
    () => Promise.reject(postgresError('42P01'))
  ]
  const told: unknown[] = []
  for (const fate of fates) {
    const { query, reports } = guard(fate)
    await query().catch(() => undefined)
    told.push(...reports.map(({ isAway, durationMs }) => [isAway, durationMs >= 0]))
  }

  t.strictSame(told, [
    [false, true],
    [true, true],
    [false, true]
  ])
})

const faults = [
  { code: '57014', translated: 'SMG_GATEWAY_DATABASE_AWAY' },
  { code: '57P01', translated: 'SMG_GATEWAY_DATABASE_AWAY' },
  { code: '53300', translated: 'SMG_GATEWAY_DATABASE_AWAY' },
  { code: '42P01', translated: '42P01' },
  { code: '22021', translated: '22021' }
]

for (const { code, translated } of faults) {
  t.test(`answers ${translated} to SQLSTATE ${code}`, async t => {
    await t.rejects(guard(async () => Promise.reject(postgresError(code))).query(), { code: translated })
  })
}

t.test('lets no more wait than it can hold, until the driver lets go', async t => {
  const { query } = guard(hang, { maxPending: 2 })
  const asked = [query(), query()]
  let areOver = 0
  for (const one of asked)
    one.catch(() => {
      areOver += 1
    })

  await t.rejects(query(), { code: 'SMG_GATEWAY_DATABASE_AWAY' })

  t.equal(areOver, 0, 'at once, and not when the time of the others is over')
  for (const one of asked) await t.rejects(one, { code: 'SMG_GATEWAY_DATABASE_AWAY' })
  await t.rejects(query(), { code: 'SMG_GATEWAY_DATABASE_AWAY' }, 'the driver still holds them')
})

t.test('shares one run, but never one that began before the caller came', async t => {
  let runs = 0
  const release: (() => void)[] = []
  const read = coalesce(async () => {
    runs += 1
    const run = runs
    await new Promise<void>(resolve => release.push(resolve))
    return run
  })

  const first = read()
  const [second, third] = [read(), read()]
  release.shift()?.()
  t.equal(await first, 1)
  await new Promise(setImmediate)
  release.shift()?.()
  t.strictSame(await Promise.all([second, third]), [2, 2])
  t.equal(runs, 2)

  const fourth = read()
  release.shift()?.()
  t.equal(await fourth, 3, 'it goes on after a pause')
})

t.test('goes on after a run that failed', async t => {
  let fails = true
  const read = coalesce(async () => {
    if (fails) throw new Error('away')
    return 1
  })
  const first = read()
  const second = read()
  fails = false

  await t.rejects(first)
  t.equal(await second, 1)
})

t.test('forgets what is older than a minute', async t => {
  let nowMs = NOW_MS
  const stats = createMinuteStats(() => nowMs)
  for (let count = 1; count <= 100; count += 1) {
    stats.record({ atMs: nowMs, durationMs: count === 100 ? 500 : 10, isError: count % 10 === 0 })
  }

  nowMs += 30_000
  const { rate, meanMs, p99Ms, errorRatio } = stats.read()
  t.equal(rate, 100 / 30, 'divided by its age while it is young')
  t.equal(meanMs, (99 * 10 + 500) / 100)
  t.ok(p99Ms && p99Ms > 9 && p99Ms < 11.5, String(p99Ms))
  t.equal(errorRatio, 0.1)

  nowMs += 31_000
  t.strictSame(stats.read(), { rate: 0, meanMs: null, p99Ms: null, errorRatio: 0 })
})

t.test('knows the slip of the driver from any other error', async t => {
  const slip = new TypeError("Cannot read properties of null (reading 'write')")
  slip.stack = `TypeError: x\n    at nextWrite (file:///app/node_modules/postgres/src/connection.js:255:22)`
  const other = new TypeError('x')
  other.stack = slip.stack.replace('nextWrite', 'anything')

  t.equal(isDriverSlip(slip), true)
  for (const error of [other, new Error(slip.stack), 'text', undefined]) t.equal(isDriverSlip(error), false)
})
