import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { evaluate } from '../../../gateway/alerts/evaluate.ts'
import { alertRules } from '../../../gateway/alerts/rules.ts'
import type { AlertInputs, TopicInput } from '../../../gateway/alerts/types.ts'

const topic: TopicInput = {
  topic: 'orders',
  lag: 0,
  lagSeconds: 0,
  stalled: 0,
  stopped: 0,
  rewound: 0,
  settled: 0,
  dead: 0,
  lost: 0
}
const healthy: AlertInputs = {
  topics: [topic],
  underReplicated: [{ topic: 'orders', partitions: 0 }],
  brokers: new Map([[1, true]]),
  functions: [{ topic: 'orders', state: 'running', isFlood: false }],
  deadLetters: [],
  outbox: { oldestSeconds: 0, refused: 0 },
  counts: []
}
const withTopic = (given: Partial<TopicInput>): AlertInputs => ({ ...healthy, topics: [{ ...topic, ...given }] })
const withFunction = (state: 'paused' | 'stopped', isFlood: boolean): AlertInputs => {
  return { ...healthy, functions: [{ topic: 'orders', state, isFlood }] }
}

/** Which rules fire when these inputs last for an hour. */
function fire(inputs: AlertInputs): string[] {
  const { states } = evaluate(alertRules, inputs, { states: [], nowMs: 0 })
  return evaluate(alertRules, inputs, { states, nowMs: 3_600_000 })
    .states.filter(({ state }) => state === 'firing')
    .map(({ name, subject }) => (subject === null ? name : `${name} ${subject}`))
}

const cases: { when: string; inputs: AlertInputs; fired: string[] }[] = [
  { when: 'all is well', inputs: healthy, fired: [] },
  { when: '10,000 records wait', inputs: withTopic({ lag: 10_000 }), fired: [] },
  { when: '10,001 records wait', inputs: withTopic({ lag: 10_001 }), fired: ['HighConsumerLag orders'] },
  { when: 'records wait for 5 minutes', inputs: withTopic({ lagSeconds: 301 }), fired: ['HighLagSeconds orders'] },
  { when: 'an owner stands still', inputs: withTopic({ stalled: 2 }), fired: ['ConsumerStalled orders'] },
  { when: 'nobody owns', inputs: withTopic({ stopped: 1 }), fired: ['ConsumerStopped orders'] },
  { when: 'a position went back', inputs: withTopic({ rewound: 1 }), fired: ['ConsumerRewound orders'] },
  { when: '9 of 9 died', inputs: withTopic({ dead: 9 }), fired: [] },
  { when: '10 of 1,000 died', inputs: withTopic({ dead: 10, settled: 990 }), fired: [] },
  { when: '11 of 1,000 died', inputs: withTopic({ dead: 11, settled: 989 }), fired: ['DeadLetterRate orders'] },
  { when: 'a record was lost', inputs: withTopic({ lost: 1 }), fired: ['RecordsLost orders'] },
  {
    when: 'a replica lags',
    inputs: { ...healthy, underReplicated: [{ topic: 'orders', partitions: 1 }] },
    fired: ['UnderReplicatedPartitions orders']
  },
  {
    when: 'a dead letter waits for an hour',
    inputs: { ...healthy, deadLetters: [{ topic: 'orders', oldestSeconds: 3_601 }] },
    fired: ['OldestDeadLetter orders']
  },
  { when: 'a function is paused', inputs: withFunction('paused', false), fired: [] },
  { when: 'a function is stopped', inputs: withFunction('stopped', false), fired: ['FunctionStopped orders'] },
  { when: 'a flood stopped a function', inputs: withFunction('stopped', true), fired: ['DeadLetterFlood orders'] },
  {
    when: 'the outbox waits',
    inputs: { ...healthy, outbox: { oldestSeconds: 61, refused: 0 } },
    fired: ['OutboxBacklog']
  },
  {
    when: 'the outbox is refused',
    inputs: { ...healthy, outbox: { oldestSeconds: 0, refused: 1 } },
    fired: ['OutboxRefused']
  },
  {
    when: 'one of two brokers is down',
    inputs: {
      ...healthy,
      brokers: new Map([
        [1, true],
        [2, false]
      ])
    },
    fired: ['KafkaBrokerDown broker 2']
  },
  { when: 'no broker was ever seen', inputs: { ...healthy, brokers: new Map() }, fired: ['KafkaBrokerDown'] },
  { when: '10 queries failed', inputs: { ...healthy, counts: [[0, 0, 0, 10]] }, fired: [] },
  {
    when: '11 queries failed on two gateways',
    inputs: {
      ...healthy,
      counts: [
        [0, 0, 0, 6],
        [0, 0, 0, 5]
      ]
    },
    fired: ['DatabaseConnectionFailure']
  },
  { when: 'queries failed long ago', inputs: { ...healthy, counts: [[300_001, 0, 0, 1_000]] }, fired: [] },
  { when: '49 of 49 requests failed', inputs: { ...healthy, counts: [[0, 49, 49, 0]] }, fired: [] },
  { when: '5 of 100 requests failed', inputs: { ...healthy, counts: [[0, 100, 5, 0]] }, fired: [] },
  {
    when: '6 of 100 requests failed on two gateways',
    inputs: {
      ...healthy,
      counts: [
        [0, 50, 6, 0],
        [9_000, 50, 0, 0]
      ]
    },
    fired: ['HighAPIErrorRate']
  },
  {
    when: 'nothing can be read',
    inputs: {
      topics: null,
      underReplicated: null,
      brokers: new Map([[1, true]]),
      functions: null,
      deadLetters: null,
      outbox: null,
      counts: []
    },
    fired: []
  }
]

for (const { when, inputs, fired } of cases) {
  t.test(`when ${when}, ${fired.join(', ') || 'nothing'} fires, and clears when all is well`, async t => {
    t.strictSame(fire(inputs), fired)

    const { states } = evaluate(alertRules, inputs, { states: [], nowMs: 0 })
    const later = evaluate(alertRules, inputs, { states, nowMs: 3_600_000 })
    const well = evaluate(alertRules, healthy, { states: later.states, nowMs: 3_610_000 })
    t.equal(well.notices.length, fired.length)
    t.ok(well.states.every(({ state }) => state === 'ok'))
  })
}

t.test('every rule is caused by one of these cases', async t => {
  const caused = new Set(cases.flatMap(({ fired }) => fired.map(one => one.split(' ')[0])))

  t.strictSame([...caused].sort(), alertRules.map(({ name }) => name).sort())
})

t.test('every rule clears at its threshold or below, and says what to do', async t => {
  for (const { name, threshold, clearsAt, summary, description, action } of alertRules) {
    t.ok(clearsAt <= threshold, name)
    t.ok(summary && description && action, name)
  }
})

t.test('the page of operations has a line for every rule, with what it says to do, and no other', async t => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8')
  const lines = alertRules.map(({ name, severity, description, action }) => {
    return `| \`${name}\` | ${severity} | ${description} | ${action} |`
  })

  for (const line of lines) t.ok(page.includes(`${line}\n`), line)
  t.equal(page.match(/^\| `\w+` \| (warning|critical) \|/gm)?.length, alertRules.length)
})
