import t from 'tap'
import { buildApp, fakeCluster, fakeQueries, NOW_MS, settings } from '../../_support/build-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const counts = { topicId: null, duplicateCount: 0, lostCount: 0, lastMessageAt: null, nextOffset: 10n, partition: 0 }
const statuses = ['user-activities', 'system-metrics', 'error-logs', 'notifications'].map((topic, index) => {
  return { ...counts, groupId: `smg.${topic}`, topic, messageCount: 10, rowCount: index + 1, deadLetterCount: 2 }
})
const queries = fakeQueries({ topicStatus: { all: async () => statuses } })

t.test('GET /api/stats', async t => {
  t.test('gives exactly the members that were promised', async t => {
    let nowMs = NOW_MS
    let end = 10n
    const partition = { partition: 0, leader: 1, replicas: [1], inSyncReplicas: [1], logStartOffset: 0n }
    const topics = async (names: readonly string[]) =>
      new Map(names.map(name => [name, { topicId: null, partitions: [{ ...partition, logEndOffset: end }] }]))
    const capacity = { ...settings, databaseCapacityBytes: 4096 }
    // The clock of the machine is set back meanwhile.
    const clocks = { now: () => 2 * NOW_MS - nowMs, steadyMs: () => nowMs }
    const app = await buildApp(t, { queries, settings: capacity, cluster: fakeCluster({ topics }), ...clocks })
    await app.sampler.sample()
    end = 25n
    nowMs += 30_000
    await app.sampler.sample()
    await app.inject('/api/messages')
    await app.inject('/nowhere')

    const response = await app.inject('/api/stats')
    const { kafka, database, api, totals } = response.json()

    t.strictSame(kafka, { messageRate: 2, consumerLag: 60, diskUsage: 0.25, diskUsageBytes: 250, partitionCount: 4 })
    t.match(database, { connectionCount: 3, storageUsage: 0.25, storageUsageBytes: 1024 })
    t.ok(database.queryLatency >= 0 && database.queryLatencyP99 >= database.queryLatency)
    t.match(api, { requestRate: 2 / 30, errorRate: 0 })
    t.ok(api.responseTime > 0 && api.responseTimeP99 > 0)
    t.strictSame(totals, {
      messages: 40,
      userActivities: 1,
      systemMetrics: 2,
      errorLogs: 3,
      notifications: 4,
      deadLetters: 8
    })
    isDocumented(t, app, response)
  })

  t.test('gives null for what nobody knows', async t => {
    const app = await buildApp(t, { queries, cluster: fakeCluster({ logDirs: async () => null }) })
    await app.sampler.sample()

    const response = await app.inject('/api/stats')

    t.match(response.json(), { kafka: { diskUsage: null, diskUsageBytes: null }, database: { storageUsage: null } })
    isDocumented(t, app, response)
  })

  t.test('measures the file system of a PostgreSQL on this machine', async t => {
    const local = { ...settings, databaseIsLocal: true }
    const known = fakeQueries({ stats: { dataDirectory: async () => '/' } })
    const closed = fakeQueries({ stats: { dataDirectory: async () => '/no/such/folder' } })
    const usageOf = async (of: typeof queries, given = local) => {
      const app = await buildApp(t, { queries: of, settings: given })
      return (await app.inject('/api/stats')).json().database.storageUsage
    }

    const usage = await usageOf(known)
    t.ok(usage > 0 && usage <= 1, String(usage))
    t.equal(await usageOf(closed), null)
    t.equal(await usageOf(known, settings), null, 'of another machine the folder says nothing')
  })

  t.test('counts answers of 5xx as errors', async t => {
    const list = async () => Promise.reject(new Error('x'))
    const app = await buildApp(t, { queries: fakeQueries({ messages: { list } }) })
    await app.inject('/api/messages')
    await app.inject('/health/live')

    t.match((await app.inject('/api/stats')).json(), { api: { errorRate: 0.5 } })
  })
})
