import t from 'tap'
import { buildApp, fakeCluster, fakeQueries, NOW_MS } from '../../../_support/build-app.ts'
import { isDocumented } from '../../../_support/documented.ts'

const TOPIC = 'notifications'

t.test('GET /api/stats/history', async t => {
  const world = { end: 10n, messages: 0, dead: 0, steadyMs: 0, isAway: false }
  const view = { partition: 0, leader: 1, replicas: [1], inSyncReplicas: [1], logStartOffset: 0n }
  const counts = { topicId: null, rowCount: 0, duplicateCount: 0, lostCount: 0, lastMessageAt: null }
  const status = { ...counts, groupId: `smg.${TOPIC}`, topic: TOPIC, partition: 0, nextOffset: 10n }
  const app = await buildApp(t, {
    now: () => NOW_MS + world.steadyMs,
    steadyMs: () => world.steadyMs,
    cluster: fakeCluster({
      topics: async () => new Map([[TOPIC, { topicId: null, partitions: [{ ...view, logEndOffset: world.end }] }]])
    }),
    queries: fakeQueries({
      topicStatus: {
        all: async () => {
          if (world.isAway) throw new Error('away')
          return [{ ...status, messageCount: world.messages, deadLetterCount: world.dead }]
        }
      }
    })
  })
  const sample = async () => {
    world.steadyMs += 3_000
    await app.sampler.sample()
  }
  await sample()
  await app.inject('/nowhere')
  Object.assign(world, { end: 40n, messages: 12, dead: 3 })
  await sample()
  world.isAway = true
  world.end = 46n
  await sample()

  const response = await app.inject('/api/stats/history')
  const { stepSeconds, items } = response.json()

  t.equal(stepSeconds, 3)
  t.match(items, [
    { at: '2026-01-31T12:00:03.000Z', messageRate: null, settledRate: null, lag: 0, lagSeconds: 0 },
    {
      at: '2026-01-31T12:00:06.000Z',
      messageRate: 10,
      settledRate: 5,
      deadLetterRate: 1,
      lag: 30,
      lagSeconds: 11,
      requestRate: 1 / 3,
      errorRate: 0,
      responseTime: Number,
      responseTimeP99: Number
    },
    { messageRate: 2, settledRate: null, deadLetterRate: null, lag: null, lagSeconds: null, requestRate: 0 }
  ])
  t.equal(items[2].responseTime, null, 'without a request')
  isDocumented(t, app, response)
})

t.test('GET /api/stats/history gives 20 minutes at most', async t => {
  const app = await buildApp(t)
  for (let samples = 0; samples < 410; samples += 1) await app.sampler.sample()

  t.equal((await app.inject('/api/stats/history')).json().items.length, 400)
})
