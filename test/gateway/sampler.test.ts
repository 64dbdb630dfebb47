import t, { type Test } from 'tap'
import { kafkaErrors } from '../../kafka/errors.ts'
import { buildApp, fakeCluster, fakeQueries, NOW_MS } from './_support/build-app.ts'

const counts = { topicId: null, rowCount: 0, duplicateCount: 0, lostCount: 0, lastMessageAt: null }
const TOPIC = 'notifications'

/** An app on a world that goes away and comes back, and whose time is the test's. */
async function buildWorld(t: Test) {
  const world = {
    end: 10n,
    next: 4n,
    messages: 0,
    dead: 0,
    kafka: true,
    database: true,
    outbox: true,
    steadyMs: 0,
    brokers: [1, 2],
    /** Queries of the outbox, and failures of PostgreSQL that a turn reported. */
    asked: 0,
    failures: 0
  }
  const inSyncReplicas = [1]
  const partition = { partition: 0, leader: 1, replicas: [1, 2], inSyncReplicas, logStartOffset: 0n }
  const unavailable = () => Promise.reject(new kafkaErrors.SMG_KAFKA_UNAVAILABLE('nobody'))
  const gone = () => Promise.reject(Object.assign(new Error('gone'), { code: 'CONNECTION_CLOSED' }))
  const status = { groupId: `smg.${TOPIC}`, topic: TOPIC, partition: 0, ...counts }
  const app = await buildApp(t, {
    now: () => NOW_MS + world.steadyMs,
    steadyMs: () => world.steadyMs,
    cluster: fakeCluster({
      topics: async () =>
        world.kafka
          ? new Map([[TOPIC, { topicId: null, partitions: [{ ...partition, logEndOffset: world.end }] }]])
          : unavailable(),
      brokers: async () => (world.kafka ? world.brokers : unavailable())
    }),
    queries: fakeQueries({
      topicStatus: {
        all: async () =>
          world.database
            ? [{ ...status, nextOffset: world.next, messageCount: world.messages, deadLetterCount: world.dead }]
            : gone()
      },
      stats: {
        outbox: async () => {
          world.asked += 1
          return world.outbox ? { waiting: 7, oldestSeconds: 2, refused: 1 } : gone()
        },
        deadLetters: async () => new Map([[TOPIC, { waiting: 3, oldestSeconds: 5 }]])
      }
    }),
    alertTurns: {
      async take({ counts }) {
        world.failures = counts.reduce((sum, [, , , failures]) => sum + failures, 0)
        return { leads: false, nowMs: NOW_MS, states: [], pending: [] }
      },
      leave: async () => undefined
    }
  })
  /** Samples three seconds later. */
  const sample = async () => {
    world.steadyMs += 3_000
    await app.sampler.sample()
    return app.sampler.snapshot()
  }
  const lagOf = () => app.sampler.snapshot().topics.find(({ topic }) => topic === TOPIC)?.lag
  return { app, world, sample, lagOf }
}

t.test('knows nothing before its first sample, and says so', async t => {
  const { app } = await buildWorld(t)

  t.match(app.sampler.snapshot(), { atMs: null, topics: [], brokers: null, away: { kafka: null, database: null } })
  t.equal(app.sampler.drainSecondsOf(TOPIC), null)
  t.strictSame((await app.inject('/api/stats/history')).json(), { stepSeconds: 3, items: [] })
})

t.test('keeps what it saw of Kafka while that is away, with since when', async t => {
  const { world, sample, lagOf } = await buildWorld(t)
  await sample()
  t.equal(lagOf(), 6)

  world.kafka = false
  world.next = 10n
  const away = await sample()
  const awayStill = await sample()

  t.match(away, { brokers: 0, brokersExpected: 2, away: { kafka: NOW_MS + 6_000, database: null } })
  t.equal(awayStill.away.kafka, NOW_MS + 6_000, 'since the first time')
  t.equal(lagOf(), 6)
  world.kafka = true
  t.match(await sample(), { brokers: 2, away: { kafka: null } })
  t.equal(lagOf(), 0)
})

t.test('goes on with the last positions while PostgreSQL is away', async t => {
  const { world, sample, lagOf } = await buildWorld(t)
  await sample()

  world.database = false
  world.end = 30n
  const away = await sample()

  t.match(away.away, { kafka: null, database: NOW_MS + 6_000 })
  t.equal(lagOf(), 26)
  world.database = true
  world.next = 28n
  t.match(await sample(), { away: { database: null } })
  t.equal(lagOf(), 2)
})

t.test('takes no position for the first one while PostgreSQL was never seen', async t => {
  const { app, world, sample } = await buildWorld(t)
  world.database = false

  await sample()

  t.strictSame(app.sampler.snapshot().topics, [])
  t.notMatch((await app.inject('/metrics')).body, /^smg_lag_records/m)
  t.match((await app.inject('/metrics')).body, /^smg_database_up 0$/m)
})

t.test('counts replicas that are not in sync, and the brokers that there were', async t => {
  const { world, sample } = await buildWorld(t)
  await sample()
  world.brokers = [2]

  t.match(await sample(), { brokers: 1, brokersExpected: 2, underReplicatedPartitions: 1 })
})

t.test('tells how long it takes until what waits is settled', async t => {
  const { app, world, sample } = await buildWorld(t)
  await sample()
  t.equal(app.sampler.drainSecondsOf(TOPIC), Number.POSITIVE_INFINITY, 'nothing is being settled')

  world.messages = 5
  world.dead = 1
  world.next = 8n
  world.end = 20n
  await sample()

  t.equal(app.sampler.drainSecondsOf(TOPIC), 6, '12 records at 2 a second')
  world.next = 20n
  await sample()
  t.equal(app.sampler.drainSecondsOf(TOPIC), 0)
})

t.test('reads the details of PostgreSQL each by itself, and forgets one that it cannot read for a minute', async t => {
  const { app, world, sample } = await buildWorld(t)
  t.match(await sample(), { database: { stats: { sizeBytes: 1024 }, outbox: { waiting: 7 }, deadLetters: Map } })

  world.outbox = false
  for (let samples = 0; samples < 19; samples += 1) await sample()
  t.match(app.sampler.snapshot().database, { outbox: { waiting: 7 } }, 'of 57 s ago')
  const { database, away } = await sample()

  t.match(database, { stats: { sizeBytes: 1024 }, outbox: null, deadLetters: Map })
  t.equal(away.database, null)
  const { body } = await app.inject('/metrics')
  t.notMatch(body, /^smg_outbox/m)
  t.match(body, /^smg_dead_letters_waiting{.*} 3$/m)
  t.equal(world.asked, 5, 'also what fails is asked for with every fifth sample')
  world.outbox = true
  for (let samples = 0; samples < 5; samples += 1) await sample()
  t.match(app.sampler.snapshot().database, { outbox: { waiting: 7 } })
})

t.test('takes no detail that is late for a failure of PostgreSQL', async t => {
  const { app, world, sample } = await buildWorld(t)
  const failures = async () => /^smg_database_failures_total (.*)$/m.exec((await app.inject('/metrics')).body)?.[1]
  world.outbox = false

  await sample()
  await app.alerts.turn()
  t.strictSame([await failures(), world.failures], ['0', 0])
  world.database = false
  await sample()
  await app.alerts.turn()

  t.strictSame([await failures(), world.failures], ['1', 1])
})
