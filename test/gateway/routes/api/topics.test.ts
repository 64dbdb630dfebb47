import t from 'tap'
import { kafkaErrors } from '../../../../kafka/errors.ts'
import { buildApp, fakeCluster, fakeQueries, NOW_MS } from '../../_support/build-app.ts'
import { isDocumented } from '../../_support/documented.ts'

const counts = { topicId: null, rowCount: 0, duplicateCount: 0, lostCount: 0, lastMessageAt: null }
const status = { groupId: 'smg.notifications', topic: 'notifications', ...counts, messageCount: 0, deadLetterCount: 0 }
const statuses = [
  {
    ...status,
    partition: 0,
    nextOffset: 7n,
    messageCount: 5,
    deadLetterCount: 2,
    lastMessageAt: '2026-01-31T11:59:00.000Z'
  },
  { ...status, partition: 1, nextOffset: 12n, messageCount: 1, lastMessageAt: '2026-01-31T11:58:00.000Z' },
  { ...status, groupId: 'other.notifications', partition: 2, nextOffset: 9n, messageCount: 99 }
]

t.test('GET /api/topics', async t => {
  const queries = fakeQueries({ topicStatus: { all: async () => statuses } })

  t.test('gives each topic with its positions, its lag and its group', async t => {
    const app = await buildApp(t, { queries, steadyMs: () => 0 })

    const response = await app.inject('/api/topics')
    const { items } = response.json()
    const { partitions, ...topic } = items.find((item: { topic: string }) => item.topic === 'notifications')

    t.strictSame(
      items.map((item: { topic: string }) => item.topic),
      ['error-logs', 'notifications', 'system-metrics', 'user-activities']
    )
    t.strictSame(topic, {
      topic: 'notifications',
      group: 'smg.notifications',
      lag: 13,
      lagSeconds: 5,
      messageCount: 6,
      deadLetterCount: 2,
      lastMessageAt: '2026-01-31T11:59:00.000Z',
      state: 'Stable',
      members: []
    })
    const broker = { leader: 1, replicas: [1], inSyncReplicas: [1], logStartOffset: '0', logEndOffset: '10' }
    t.strictSame(partitions, [
      { ...broker, partition: 0, currentOffset: '10', nextOffset: '7', lag: 3 },
      { ...broker, partition: 1, currentOffset: null, nextOffset: '12', lag: 0 },
      { ...broker, partition: 2, currentOffset: null, nextOffset: null, lag: 10 }
    ])
    isDocumented(t, app, response)
  })

  t.test('counts the lag from the start of the log where there is no position', async t => {
    const range = { logStartOffset: 4n, logEndOffset: 10n }
    const partitions = [{ partition: 2, leader: 1, replicas: [1], inSyncReplicas: [1], ...range }]
    const topics = async (names: readonly string[]) => new Map(names.map(name => [name, { topicId: null, partitions }]))
    const app = await buildApp(t, { queries, cluster: fakeCluster({ topics }) })

    t.match((await app.inject('/api/topics/notifications')).json(), {
      lag: 6,
      partitions: [{ nextOffset: null, lag: 6 }]
    })
  })

  t.test('tells how long the oldest record waits that is not settled, by its timestamp', async t => {
    const asked: unknown[] = []
    const cluster = fakeCluster({
      oldest: async places => {
        asked.push(...places.map(({ topic, partition, offset }) => ({ topic, partition, offset })))
        return places.map(({ offset, partition }) => ({ offset, timestampMs: NOW_MS - (partition + 1) * 10_000 }))
      }
    })
    const app = await buildApp(t, { queries, cluster, steadyMs: () => 0 })

    t.equal((await app.inject('/api/topics/notifications')).json().lagSeconds, 30, 'of the partition where it is most')
    t.strictSame(
      asked.filter(place => (place as { topic: string }).topic === 'notifications'),
      [
        { topic: 'notifications', partition: 0, offset: 7n },
        { topic: 'notifications', partition: 2, offset: 0n }
      ]
    )
  })

  t.test('says null where one of those that lag is not known', async t => {
    const cluster = fakeCluster({
      oldest: async places => places.map(({ offset }) => (offset === 7n ? undefined : { offset, timestampMs: NOW_MS }))
    })
    const app = await buildApp(t, { queries, cluster })

    t.match((await app.inject('/api/topics/notifications')).json(), { lag: 13, lagSeconds: null })
    t.match((await app.inject('/api/topics/error-logs')).json(), { lag: 30, lagSeconds: Number })
  })

  t.test('counts a topic that was made anew from its start', async t => {
    const all = async () => [{ ...status, partition: 1, nextOffset: 9n, topicId: 'one' }]
    const partitions = [
      { partition: 1, leader: 1, replicas: [1], inSyncReplicas: [1], logStartOffset: 2n, logEndOffset: 10n }
    ]
    const topics = async () => new Map([['notifications', { topicId: 'another', partitions }]])
    const app = await buildApp(t, {
      queries: fakeQueries({ topicStatus: { all } }),
      cluster: fakeCluster({ topics })
    })

    t.match((await app.inject('/api/topics/notifications')).json(), { lag: 8, partitions: [{ nextOffset: null }] })
  })

  t.test('answers 503 when Kafka does not', async t => {
    const topics = async () => Promise.reject(new kafkaErrors.SMG_KAFKA_UNAVAILABLE('10.0.0.7:9092'))
    const app = await buildApp(t, { queries, cluster: fakeCluster({ topics }) })

    for (const url of ['/api/topics', '/api/topics/notifications', '/api/stats']) {
      const response = await app.inject(url)
      t.match(response.json(), { status: 503, code: 'SMG_GATEWAY_KAFKA_AWAY' })
      t.equal(response.headers['retry-after'], '1')
      t.notMatch(response.body, /10\.0\.0\.7/)
      isDocumented(t, app, response)
    }
  })

  t.test('answers 503 when Kafka hangs', async t => {
    const app = await buildApp(t, { queries, cluster: fakeCluster({ groups: () => new Promise(() => undefined) }) })
    await app.ready()
    const startedMs = performance.now()

    t.match(await app.inject('/api/topics'), { statusCode: 503 })
    t.ok(performance.now() - startedMs < 10_000, 'it hangs for ever')
  })
})

t.test('GET /api/topics/{topic}', async t => {
  const app = await buildApp(t, {
    cluster: fakeCluster({ topics: async () => new Map(), groups: async () => new Map() })
  })

  t.test('gives a topic that Kafka does not have without partitions', async t => {
    const response = await app.inject('/api/topics/notifications')

    t.match(response.json(), { topic: 'notifications', partitions: [], lag: 0, lagSeconds: 0, state: 'Dead' })
    isDocumented(t, app, response)
  })

  t.test('answers 404 to what is no topic of a function', async t => {
    const response = await app.inject('/api/topics/__consumer_offsets')

    t.match(response.json(), { status: 404, code: 'SMG_GATEWAY_NO_TOPIC' })
    isDocumented(t, app, response)
  })
})
