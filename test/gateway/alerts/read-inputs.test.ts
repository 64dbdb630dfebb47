import t from 'tap'
import type { AlertState } from '../../../db/queries/alert-turns.ts'
import { evaluate } from '../../../gateway/alerts/evaluate.ts'
import { createInputReader } from '../../../gateway/alerts/read-inputs.ts'
import { alertRules } from '../../../gateway/alerts/rules.ts'
import type { TopicReading } from '../../../gateway/topic-reader.ts'
import { fakeCluster, fakeQueries, functions } from '../_support/build-app.ts'

const TOPIC = 'user-activities'
const START_MS = Date.UTC(2026, 0, 31, 12)

interface Sight {
  readonly position?: bigint | null
  readonly end?: bigint
  readonly isOwned?: boolean
  readonly ageSeconds?: number | null
  readonly counters?: Partial<TopicReading>
}

const THERE = { kafka: null, database: null }

function toReading({ position = 0n, end = 0n, ageSeconds = 0, isOwned = true, counters = {} }: Sight): TopicReading {
  const partition = {
    partition: 0,
    leader: 1,
    replicas: [1],
    inSyncReplicas: [1],
    logStartOffset: 0n,
    logEndOffset: end,
    currentOffset: null,
    nextOffset: position,
    oldestOffset: position ?? 0n,
    lag: Number(end - (position ?? 0n)),
    lagSeconds: ageSeconds,
    lastMessageAt: null
  }
  const member = { memberId: 'm', clientId: 'c', host: 'h', partitions: [0] }
  return {
    topic: TOPIC,
    group: `smg.${TOPIC}`,
    partitions: [partition],
    lag: partition.lag,
    lagSeconds: partition.lagSeconds,
    messageCount: 0,
    rowCount: 0,
    deadLetterCount: 0,
    lostCount: 0,
    lastMessageAt: null,
    state: isOwned ? 'Stable' : 'Empty',
    members: isOwned ? [member] : [],
    ...counters
  }
}

/** Evaluates every 10 s what a test shows, with all rules. */
function observe(overrides: Parameters<typeof fakeQueries>[0] = {}) {
  let nowMs = START_MS
  let states: readonly AlertState[] = []
  let snapshot: { atMs: number | null; topics: TopicReading[]; away: typeof THERE } = {
    atMs: null,
    topics: [],
    away: THERE
  }
  const read = createInputReader({
    functions,
    groupPrefix: 'smg.',
    sampler: { snapshot: () => snapshot },
    cluster: fakeCluster(),
    queries: fakeQueries(overrides),
    steadyMs: () => nowMs
  })

  return {
    read,
    /** Null: the sampler sees nothing new. */
    async look(next: Sight | null) {
      nowMs += 10_000
      if (next) snapshot = { atMs: nowMs, topics: [toReading(next)], away: THERE }
      const inputs = { ...(await read()), counts: [] }
      const evaluated = evaluate(alertRules, inputs, { states, nowMs })
      states = evaluated.states
      return { inputs, firing: states.filter(({ state }) => state === 'firing').map(({ name }) => name), ...evaluated }
    }
  }
}

t.test(
  'a healthy catch-up of a million records raises its lag, in records and in seconds, and nothing else',
  async t => {
    const { look } = observe()
    const fired = new Set<string>()
    const watch = async (sight: Sight) => {
      for (const { name, event } of (await look(sight)).notices) fired.add(`${name} ${event}`)
    }
    const end = 1_000_000n
    for (let index = 0; index < 6; index += 1) await watch({ position: null, end, isOwned: false, ageSeconds: 600 })

    // A runner comes, drains 4,000 a second, and 500 a second arrive meanwhile.
    for (let position = 0n, written = end, isDone = false; !isDone; written += 5_000n) {
      position = position + 40_000n > written ? written : position + 40_000n
      isDone = position === written
      const counters = { messageCount: Number(position) }
      await watch({ position, end: written, ageSeconds: isDone ? 0 : 600, counters })
    }

    t.strictSame([...fired].sort(), [
      'HighConsumerLag cleared',
      'HighConsumerLag fired',
      'HighLagSeconds cleared',
      'HighLagSeconds fired'
    ])
  }
)

t.test('ten healthy minutes at load raise nothing', async t => {
  const { look } = observe()

  for (let index = 0; index < 60; index += 1) {
    const end = BigInt(1_000 + index * 50_000)
    const sight = { position: end - BigInt(500 + (index % 3)), end, ageSeconds: 1 }
    const { firing } = await look({ ...sight, counters: { messageCount: Number(end), deadLetterCount: index } })
    t.strictSame(firing, [])
  }
})

t.test('an owner that stands still, and a group without one, are told apart', async t => {
  for (const { isOwned, name } of [
    { isOwned: true, name: 'ConsumerStalled' },
    { isOwned: false, name: 'ConsumerStopped' }
  ]) {
    const { look } = observe()
    for (let index = 0; index < 12; index += 1)
      t.strictSame((await look({ position: 5n, end: 9n, isOwned })).firing, [])

    t.strictSame((await look({ position: 5n, end: 9n, isOwned })).firing, [name])
    t.match(await look({ position: 9n, end: 9n }), { firing: [], notices: [{ name, event: 'cleared' }] })
  }
})

t.test('a function that an operator paused is not expected to move', async t => {
  const { look } = observe({
    alerts: { functions: async () => [{ groupId: `smg.${TOPIC}`, topic: TOPIC, state: 'paused', isFlood: false }] }
  })

  for (let index = 0; index < 30; index += 1) t.strictSame((await look({ position: 5n, end: 9n })).firing, [])
})

t.test('a stop of another group is none of ours', async t => {
  const { look } = observe({
    alerts: { functions: async () => [{ groupId: `other.${TOPIC}`, topic: TOPIC, state: 'stopped', isFlood: true }] }
  })

  t.strictSame((await look({})).firing, [])
})

t.test('records that retention removed are told of for an hour', async t => {
  const { look } = observe()
  await look({ counters: { lostCount: 7 } })
  t.match(await look({ counters: { lostCount: 10 } }), { notices: [{ name: 'RecordsLost', event: 'fired', value: 3 }] })

  let looks = 0
  for (let isFiring = true; isFiring && looks < 500; looks += 1) {
    isFiring = (await look({ counters: { lostCount: 10 } })).firing.includes('RecordsLost')
  }

  t.ok(looks > 358 && looks < 370, `${looks} looks of 10 s`)
})

t.test('what nobody saw for 20 seconds is not known, and neither raised nor cleared', async t => {
  const { look } = observe()
  for (let index = 0; index < 5; index += 1) await look({ position: 0n, end: 20_000n })

  const { inputs, firing } = (await look(null)) && (await look(null))

  t.equal(inputs.topics, null)
  t.strictSame(firing, ['HighConsumerLag'])
})

t.test('what PostgreSQL does not answer is not known', async t => {
  const away = async () => Promise.reject(new Error('away'))
  const { read } = observe({ alerts: { functions: away, deadLetters: away, outbox: away } })

  t.match(await read(), { topics: null, functions: null, deadLetters: null, outbox: null })
})

t.test('a Kafka that does not answer has no broker that does', async t => {
  const read = createInputReader({
    functions,
    groupPrefix: 'smg.',
    sampler: { snapshot: () => ({ atMs: null, topics: [], away: THERE }) },
    cluster: fakeCluster({ brokers: async () => Promise.reject(new Error('away')) }),
    queries: fakeQueries(),
    steadyMs: () => 0
  })

  t.equal((await read()).brokers.size, 0)
})
