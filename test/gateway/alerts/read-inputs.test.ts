import t from 'tap'
import type { AlertState } from '../../../db/queries/alert-turns.ts'
import { evaluate } from '../../../gateway/alerts/evaluate.ts'
import { createInputReader } from '../../../gateway/alerts/read-inputs.ts'
import { alertRules } from '../../../gateway/alerts/rules.ts'
import type { Snapshot } from '../../../gateway/sampler.ts'
import type { TopicReading } from '../../../gateway/topic-reader.ts'
import { fakeCluster, functions } from '../_support/build-app.ts'

const TOPIC = 'user-activities'
const START_MS = Date.UTC(2026, 0, 31, 12)
/** What the sampler has before its first sample. */
const NOTHING: Snapshot = {
  atMs: null,
  topics: [],
  logDirs: null,
  brokers: null,
  brokersExpected: 0,
  underReplicatedPartitions: null,
  functionStates: [],
  database: { stats: null, outbox: null, deadLetters: null },
  away: { kafka: null, database: null }
}

interface Sight {
  readonly position?: bigint | null
  readonly end?: bigint
  readonly isOwned?: boolean
  readonly ageSeconds?: number | null
  readonly counters?: Partial<TopicReading>
}

function toReading({ position = 0n, end = 0n, isOwned = true, ageSeconds = 0, counters = {} }: Sight): TopicReading {
  const partition = {
    partition: 0,
    leader: 1,
    replicas: [1],
    inSyncReplicas: [1],
    logStartOffset: 0n,
    logEndOffset: end,
    currentOffset: null,
    nextOffset: position,
    lag: Number(end - (position ?? 0n)),
    lastMessageAt: null,
    lagSeconds: ageSeconds,
    oldestOffset: position ?? 0n
  }
  const member = { memberId: 'm', clientId: 'c', host: 'h', partitions: [0] }
  return {
    topic: TOPIC,
    group: `smg.${TOPIC}`,
    partitions: [partition],
    lag: partition.lag,
    lagSeconds: ageSeconds,
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
function observe(seen: Partial<Snapshot> = {}) {
  let nowMs = START_MS
  let states: readonly AlertState[] = []
  let snapshot: Snapshot = { ...NOTHING, ...seen }
  const read = createInputReader({
    functions,
    groupPrefix: 'smg.',
    sampler: { snapshot: () => snapshot },
    cluster: fakeCluster(),
    steadyMs: () => nowMs
  })

  return {
    read,
    async look(sight: Sight, others: Partial<Snapshot> = {}) {
      nowMs += 10_000
      snapshot = { ...snapshot, ...others, atMs: nowMs, topics: [toReading(sight)] }
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
  const paused = { groupId: `smg.${TOPIC}`, topic: TOPIC, state: 'paused', reason: null, since: '' } as const
  const { look } = observe({ functionStates: [paused] })

  for (let index = 0; index < 30; index += 1) t.strictSame((await look({ position: 5n, end: 9n })).firing, [])
})

t.test('a stop of another group is none of ours', async t => {
  const stopped = { topic: TOPIC, state: 'stopped', reason: '', since: '' } as const
  const { look } = observe({ functionStates: [{ ...stopped, groupId: `other.${TOPIC}`, isFlood: true }] })

  t.strictSame((await look({})).firing, [])
  const own = { ...stopped, groupId: `smg.${TOPIC}` }
  t.strictSame((await look({}, { functionStates: [{ ...own, isFlood: true }] })).firing, ['DeadLetterFlood'])
  t.strictSame((await look({}, { functionStates: [own] })).firing, ['FunctionStopped'])
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

t.test('what is away is not known, and neither raised nor cleared', async t => {
  const { look } = observe()
  for (let index = 0; index < 5; index += 1) await look({ position: 0n, end: 20_000n })

  for (const part of ['kafka', 'database']) {
    const away = { kafka: null, database: null, [part]: START_MS }
    const { inputs, firing } = await look({ position: 20_000n, end: 20_000n }, { away })
    t.equal(inputs.topics, null)
    t.equal(inputs.seesKafka, part === 'database')
    t.strictSame(firing, ['HighConsumerLag'])
  }
  const { firing } = await look({ position: 20_000n, end: 20_000n }, { away: { kafka: null, database: null } })
  t.strictSame(firing, [])
})

t.test('each part is known as long as it is there', async t => {
  const outbox = { waiting: 1, oldestSeconds: 61, refused: 2 }
  const database = { stats: null, outbox, deadLetters: new Map([[TOPIC, { waiting: 3, oldestSeconds: 7 }]]) }
  const { look, read } = observe()
  t.match(await read(), {
    seesKafka: false,
    topics: null,
    underReplicated: null,
    functions: null,
    deadLetters: null,
    outbox: null
  })

  const whole = await look({}, { database })
  const late = await look({}, { database: { ...database, outbox: null } })
  const { inputs } = await look({}, { database, away: { kafka: null, database: START_MS } })

  t.match(whole.inputs, { seesKafka: true, outbox, deadLetters: [{ topic: TOPIC, oldestSeconds: 7 }] })
  t.match(late.inputs, { outbox: null, deadLetters: [{ topic: TOPIC, oldestSeconds: 7 }] })
  t.match(inputs, { functions: null, deadLetters: null, outbox: null })
  t.strictSame(inputs.underReplicated, [{ topic: TOPIC, partitions: 0 }])
})

t.test('a Kafka that does not answer has no broker that does', async t => {
  const cluster = fakeCluster({ brokers: async () => Promise.reject(new Error('away')) })
  const sampler = { snapshot: () => ({ ...NOTHING, atMs: START_MS, topics: [toReading({})] }) }
  const read = createInputReader({ functions, groupPrefix: 'smg.', sampler, cluster, steadyMs: () => 0 })

  const { brokers, seesKafka } = await read()
  t.strictSame([...brokers], [[1, false]])
  t.equal(seesKafka, false, 'although the last sample did')
})
