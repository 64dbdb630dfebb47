import t from 'tap'
import type { AlertReport, AlertTurns, StoredAlerts } from '../../../db/queries/alert-turns.ts'
import { startAlerting } from '../_support/alerting.ts'
import { until } from '../_support/open-request.ts'

const NOW_MS = Date.UTC(2026, 0, 31, 12)

/** A store that can be away, and that this gateway leads or not. */
function fakeStore({ leads = true }: { leads?: boolean } = {}) {
  const reports: AlertReport[] = []
  const left: string[] = []
  const store = { isAway: false, leads, states: [] as StoredAlerts['states'], counts: [] as StoredAlerts['counts'] }
  const turns: AlertTurns = {
    async take(report, evaluate) {
      if (store.isAway) throw new Error('away')
      reports.push(report)
      if (!store.leads) return { leads: false, nowMs: NOW_MS, states: store.states, pending: [] }
      const evaluated = evaluate({ nowMs: NOW_MS, states: store.states, counts: store.counts })
      store.states = evaluated.states
      const pending = evaluated.notices.map(notice => ({ notice, sink: 'memory', attempts: 0 }))
      return { leads: true, nowMs: NOW_MS, states: evaluated.states, pending }
    },
    leave: async instance => void left.push(instance)
  }
  return Object.assign(store, { turns, reports, left })
}

t.test('who leads evaluates what all gateways counted, and tells of it', async t => {
  const store = fakeStore()
  const gateway = startAlerting(t, store)
  store.counts = [
    [0, 0, 0, 6],
    [0, 0, 0, 5]
  ]

  await gateway.alerts.turn()
  await until(() => gateway.told.length === 1)

  t.match(gateway.told, [{ name: 'TooManyFailures', event: 'fired', value: 11, atMs: NOW_MS }])
})

t.test('who does not lead reports, tells nothing, and knows what was written', async t => {
  const store = fakeStore({ leads: false })
  store.states = [{ name: 'TooMuch', subject: null, state: 'firing', value: 7, sinceMs: 1, episodeMs: 0 }]
  const gateway = startAlerting(t, store)
  Object.assign(gateway, { refused: 0, failures: 50 })

  await gateway.alerts.turn()
  await new Promise(setImmediate)

  t.match(store.reports, [{ counts: [[0, 0, 0, 50]], alone: { notices: [], states: [] }, sinks: ['memory'] }])
  t.strictSame(gateway.alerts.states(), store.states)
  t.strictSame(gateway.told, [])
})

t.test('without PostgreSQL every gateway goes on from what was written, with the same ids', async t => {
  const stores = [fakeStore(), fakeStore({ leads: false })]
  const gateways = stores.map(store => startAlerting(t, store))
  for (const { alerts } of gateways) await alerts.turn()
  for (const store of stores) store.isAway = true

  for (const gateway of gateways) Object.assign(gateway, { failures: 11 })
  for (const { alerts } of gateways) await alerts.turn()
  await until(() => gateways.every(({ told }) => told.length === 1))

  t.match(gateways[0]?.told, [{ name: 'TooManyFailures', event: 'fired' }])
  t.equal(gateways[0]?.told[0]?.id, gateways[1]?.told[0]?.id)
  const nowMs = gateways[1]?.told[0]?.atMs ?? 0
  t.ok(nowMs >= NOW_MS && nowMs < NOW_MS + 60_000, 'by the clock of the database')
  t.match(await gateways[1]?.alerts.read(), {
    source: 'memory',
    evaluatedAtMs: nowMs,
    states: [{}, { state: 'firing' }]
  })
})

t.test('what was made alone is written with the next turn, and once', async t => {
  const store = fakeStore({ leads: false })
  const gateway = startAlerting(t, store)
  store.isAway = true
  Object.assign(gateway, { refused: 101 })
  await gateway.alerts.turn()
  await until(() => gateway.told.length === 1)
  store.isAway = false

  await gateway.alerts.turn()
  await gateway.alerts.turn()

  const [first, second] = store.reports
  t.match(first?.alone, { notices: [{ name: 'TooMuch', event: 'fired' }], states: [{ state: 'firing' }, {}] })
  t.match(first?.deliveries, [{ noticeId: gateway.told[0]?.id, sink: 'memory', state: 'delivered' }])
  t.strictSame(second?.alone, { notices: [], states: [] })
  t.strictSame(second?.deliveries, [])
})

t.test('a turn that came through too late is handed over again', async t => {
  const store = fakeStore()
  const gateway = startAlerting(t, store)
  const { take } = store.turns
  store.isAway = true
  Object.assign(gateway, { refused: 101 })
  await gateway.alerts.turn()
  store.isAway = false
  let fails = true
  Object.assign(store.turns, {
    async take(...parameters: Parameters<typeof take>) {
      const taken = await take(...parameters)
      if (fails) throw new Error('the answer was lost')
      return taken
    }
  })

  await gateway.alerts.turn()
  fails = false
  await gateway.alerts.turn()

  t.strictSame(store.reports[0]?.alone.notices, store.reports[1]?.alone.notices)
})

t.test('a PostgreSQL that hangs holds up a turn for 3 seconds at most', async t => {
  const gateway = startAlerting(t, { turns: { ...fakeStore().turns, take: () => new Promise(() => undefined) } })
  Object.assign(gateway, { refused: 101 })

  await gateway.alerts.turn()
  await until(() => gateway.told.length === 1)

  t.match(await gateway.alerts.read(), { source: 'memory' })
})

t.test('a place that hangs holds up no turn', async t => {
  const store = fakeStore()
  store.isAway = true
  const gateway = startAlerting(t, {
    ...store,
    turns: store.turns,
    sinks: { hanging: { send: () => new Promise(() => undefined) } }
  })

  for (let turn = 0; turn < 10; turn += 1) {
    Object.assign(gateway, { refused: turn % 2 === 0 ? 101 : 0 })
    await gateway.alerts.turn()
  }
  await until(() => gateway.told.length === 10)

  t.equal(new Set(gateway.told.map(({ id }) => id)).size, 10)
})

t.test('turns are taken again and again until it is stopped', async t => {
  const store = fakeStore()
  const gateway = startAlerting(t, store)

  gateway.alerts.start()
  await until(() => store.reports.length > 2)
  await gateway.alerts.stop()
  const before = store.reports.length
  await new Promise(resolve => setTimeout(resolve, 50))

  t.ok(store.reports.length <= before + 1)
})

for (const { when, intervalMs, leaseMs } of [
  { when: 'one turn may be missed', intervalMs: 10_000, leaseMs: 30_000 },
  { when: 'at a short interval a slow turn fits into it', intervalMs: 500, leaseMs: 5_500 }
]) {
  t.test(`asks for a lease with what it sees of Kafka: ${when}`, async t => {
    const store = fakeStore()
    const gateway = startAlerting(t, { ...store, intervalMs })

    await gateway.alerts.turn()
    Object.assign(gateway, { seesKafka: false })
    await gateway.alerts.turn()

    t.match(store.reports, [
      { leaseMs, seesKafka: true },
      { leaseMs, seesKafka: false }
    ])
  })
}

t.test('who stops gives up the lease that it has or may have, and one that never asked for it asks nobody', async t => {
  const stores = [fakeStore(), fakeStore(), fakeStore()]
  const gateways = stores.map(store => startAlerting(t, store))
  for (const { alerts } of gateways.slice(0, 2)) await alerts.turn()
  Object.assign(stores[1] ?? {}, { isAway: true })
  await gateways[1]?.alerts.turn()

  for (const { alerts } of gateways) await alerts.stop()

  t.strictSame(
    stores.map(({ left }) => left),
    [[stores[0]?.reports[0]?.instance], [stores[1]?.reports[0]?.instance], []]
  )
})

t.test('who does not lead says that it is gone: nobody leaves the lease to it because it saw Kafka', async t => {
  const store = fakeStore({ leads: false })
  const gateway = startAlerting(t, store)
  await gateway.alerts.turn()

  await gateway.alerts.stop()

  t.strictSame(store.left, [store.reports[0]?.instance])
})

for (const [which, turnsBefore] of [
  ['the first turn', 0],
  ['the turn that finds PostgreSQL again', 1]
] as const) {
  t.test(`who stops while ${which} is under way gives its lease up`, async t => {
    const store = fakeStore()
    let answer: () => void = () => undefined
    const held = new Promise<void>(resolve => {
      answer = resolve
    })
    const take: AlertTurns['take'] = async (...given) => {
      const taken = await store.turns.take(...given)
      await held
      return taken
    }
    const gateway = startAlerting(t, { turns: { ...store.turns, take } })
    store.isAway = true
    for (let turn = 0; turn < turnsBefore; turn += 1) await gateway.alerts.turn()
    store.isAway = false
    const turn = gateway.alerts.turn()
    await until(() => store.reports.length === 1)

    await gateway.alerts.stop()
    answer()
    await turn

    t.strictSame(store.left, [store.reports[0]?.instance])
  })
}

t.test('a PostgreSQL that hangs, or refuses, holds up no stop', async t => {
  for (const leave of [() => new Promise<void>(() => undefined), async () => Promise.reject(new Error('refused'))]) {
    const { turns } = fakeStore()
    const gateway = startAlerting(t, { turns: { ...turns, leave } })
    await gateway.alerts.turn()

    await t.resolves(gateway.alerts.stop())
  }
})
