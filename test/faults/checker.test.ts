import t from 'tap'
import { check } from './checker.ts'
import type { DeadLetterRow, Effect, FinalState, LogRecord } from './final-state.ts'
import type { HistoryLine, SendOutcome } from './history.ts'

// A history in which every promise was kept: two events of one key, one that is refused, one of unknown fate that is not
// there, one poison, one that publishes. Each test breaks one thing of it.

interface Story {
  history: HistoryLine[]
  state: { -readonly [K in keyof FinalState]: FinalState[K] extends readonly (infer T)[] ? T[] : FinalState[K] }
}

let clock = 0

function acked(ref: string, offset: number, more: Partial<HistoryLine> = {}): HistoryLine {
  return line(ref, { kind: 'acked', id: `id-${ref}`, partition: 0, offset: String(offset) }, more)
}

function line(ref: string, outcome: SendOutcome, more: Partial<HistoryLine> = {}): HistoryLine {
  clock += 10
  const times = { scheduledMs: clock, sentMs: clock, answeredMs: clock + 5 }
  const fixed = { topic: 'entries', key: 'k', seq: 1, expected: 'effect', from: 'http', idempotencyKey: null } as const
  return { ref, ...fixed, request: clock, ...times, outcome, ...more }
}

function record(ref: string, offset: number, topic = 'entries'): LogRecord {
  return { topic, partition: 0, offset: BigInt(offset), identity: `id:id-${ref}`, eventId: `id-${ref}`, ref }
}

function effect(ref: string, order: number, more: Partial<Effect> = {}): Effect {
  return { topic: 'entries', ref, key: 'k', seq: 1, order: BigInt(order), counter: null, ...more }
}

function dead(ref: string, offset: number, state = 'dead'): DeadLetterRow {
  const kind = { stage: 'handle', disposition: 'attempts_exhausted', state, error: 'Error: never' }
  return { topic: 'entries', eventId: `id-${ref}`, partition: 0, offset: BigInt(offset), ref, ...kind, copies: [] }
}

function message(ref: string, offset: number, topic = 'entries') {
  return { topic, id: `id-${ref}`, partition: 0, offset: BigInt(offset) }
}

function cleanStory(): Story {
  const bounds = (topic: string, high: number) => ({ topic, partition: 0, low: 0n, high: BigInt(high) })
  const position = (topic: string, next: number) => ({ topic, partition: 0, nextOffset: BigInt(next) })
  return {
    history: [
      acked('a', 0),
      acked('b', 1),
      line('refused', { kind: 'refused', status: 400, reason: 'bad' }),
      line('lost', { kind: 'unknown', reason: 'no answer' }),
      acked('poison', 2, { expected: 'dead' }),
      acked('c', 0, { topic: 'orders' })
    ],
    state: {
      log: [record('a', 0), record('b', 1), record('poison', 2), record('c', 0, 'orders'), record('c', 0, 'shipments')],
      bounds: [bounds('entries', 3), bounds('orders', 1), bounds('shipments', 1)],
      effects: [
        effect('a', 10),
        effect('b', 11),
        effect('c', 12, { topic: 'orders', counter: 1 }),
        effect('c', 13, { topic: 'shipments' })
      ],
      deadLetters: [dead('poison', 2)],
      messages: [message('a', 0), message('b', 1), message('c', 0, 'orders'), message('c', 0, 'shipments')],
      positions: [position('entries', 3), position('orders', 1), position('shipments', 1)],
      late: [],
      outboxRows: 0
    }
  }
}

function verdicts({ history, state }: Story, options = {}) {
  return check(history, state, options).map(({ invariant, anomaly }) => `${invariant} ${anomaly}`)
}

function without<T extends { ref: string | null; topic: string }>(list: T[], ref: string, topic = 'entries'): T[] {
  return list.filter(item => item.ref !== ref || item.topic !== topic)
}

t.test('finds nothing where every promise was kept', async t => {
  t.strictSame(verdicts(cleanStory()), [])
})

const broken: readonly { what: string; found: string; damage: (story: Story) => void }[] = [
  {
    what: 'an acknowledged event has no effect',
    found: 'I1 lost-write',
    damage: ({ state }) => {
      state.effects = without(state.effects, 'b')
    }
  },
  {
    what: 'an acknowledged event is not in the log',
    found: 'I1 lost-write',
    damage: ({ state }) => {
      state.log = without(state.log, 'b')
    }
  },
  {
    what: 'another event is where the answer says',
    found: 'I1 inconsistent-offsets',
    damage: story => {
      story.history = story.history.map(one => (one.ref === 'b' ? acked('b', 0) : one))
    }
  },
  {
    what: 'an event has two effects',
    found: 'I2 duplicate',
    damage: ({ state }) => void state.effects.push(effect('b', 14))
  },
  {
    what: 'an event has an effect and a dead letter',
    found: 'I2 duplicate',
    damage: ({ state }) => void state.deadLetters.push(dead('b', 1))
  },
  {
    what: 'a dead letter was resolved, and its event has no effect',
    found: 'I1 lost-write',
    damage: ({ state }) => {
      state.effects = without(state.effects, 'b')
      state.deadLetters.push(dead('b', 1, 'resolved'))
    }
  },
  {
    what: 'a dead letter was resolved, and its event has two effects',
    found: 'I2 duplicate',
    damage: ({ state }) => {
      state.effects.push(effect('b', 14))
      state.deadLetters.push(dead('b', 1, 'resolved'))
    }
  },
  {
    what: 'a dead letter was discarded, and its event has an effect',
    found: 'I2 duplicate',
    damage: ({ state }) => void state.deadLetters.push(dead('b', 1, 'discarded'))
  },
  {
    what: 'a dead letter was resolved, and its event is not among the messages',
    found: 'I6 poll-skip',
    damage: ({ state }) => {
      state.messages = state.messages.filter(({ id }) => id !== 'id-b')
      state.deadLetters.push(dead('b', 1, 'resolved'))
    }
  },
  {
    what: 'poison was redriven, and has an effect',
    found: 'I4 not-dead-lettered',
    damage: ({ state }) => {
      state.deadLetters = [dead('poison', 2, 'resolved')]
      state.effects.push(effect('poison', 12))
      state.messages.push(message('poison', 2))
    }
  },
  {
    what: 'a dead letter is still to be redriven',
    found: 'I7 unseen',
    damage: ({ state }) => {
      state.deadLetters = [dead('poison', 2, 'redriving')]
    }
  },
  {
    what: 'redriven events of a key are out of order',
    found: 'I3 nonmonotonic',
    damage: ({ state }) => {
      state.deadLetters.push(dead('a', 0, 'resolved'), dead('b', 1, 'resolved'))
      state.effects = state.effects.map(one => (one.ref === 'a' ? { ...one, order: 20n } : one))
    }
  },
  {
    what: 'a counter was raised twice',
    found: 'I2 duplicate',
    damage: ({ state }) => {
      state.effects = state.effects.map(one => (one.topic === 'orders' ? { ...one, counter: 2 } : one))
    }
  },
  {
    what: 'a revoked attempt wrote',
    found: 'I2 late-write',
    damage: ({ state }) => void state.late.push('b')
  },
  {
    what: 'effects of a key are out of order',
    found: 'I3 nonmonotonic',
    damage: ({ state }) => {
      state.effects = state.effects.map(one => (one.ref === 'a' ? { ...one, order: 20n } : one))
    }
  },
  {
    what: 'what was sent later lies before what was acknowledged',
    found: 'I3 nonmonotonic',
    damage: story => {
      story.history = [acked('b', 1), acked('a', 0), ...story.history.slice(2)]
    }
  },
  {
    what: 'what was sent later under an Idempotency-Key lies before what was acknowledged',
    found: 'I3 nonmonotonic',
    damage: story => {
      const lines = [acked('b', 1), acked('a', 0), ...story.history.slice(2)]
      story.history = lines.map(one => ({ ...one, idempotencyKey: `key-${one.ref}` }))
    }
  },
  {
    what: 'a key lies in two partitions',
    found: 'I3 nonmonotonic',
    damage: ({ state }) => {
      state.log = state.log.map(one => (one.ref === 'b' ? { ...one, partition: 1 } : one))
    }
  },
  {
    what: 'something refused is in the log',
    found: 'I4 G1a',
    damage: ({ state }) => {
      state.log.push(record('refused', 3))
      state.effects.push(effect('refused', 15))
      state.messages.push(message('refused', 3))
      state.bounds[0] = { topic: 'entries', partition: 0, low: 0n, high: 4n }
      state.positions[0] = { topic: 'entries', partition: 0, nextOffset: 4n }
    }
  },
  {
    what: 'there is an effect that nobody sent',
    found: 'I4 phantom',
    damage: ({ state }) => void state.effects.push(effect('ghost', 15))
  },
  {
    what: 'poison has an effect',
    found: 'I4 not-dead-lettered',
    damage: ({ state }) => {
      state.deadLetters = []
      state.effects.push(effect('poison', 12))
      state.messages.push(message('poison', 2))
    }
  },
  {
    what: 'a good event is a dead letter',
    found: 'I1 dead-lettered',
    damage: ({ state }) => {
      state.effects = without(state.effects, 'b')
      state.messages = state.messages.filter(({ id }) => id !== 'id-b')
      state.deadLetters.push(dead('b', 1))
    }
  },
  {
    what: 'one event is in the log under two ids',
    found: 'I5 duplicate',
    damage: ({ state }) => {
      state.log.push({ ...record('b', 3), identity: 'id:other', eventId: 'other' })
      state.effects.push(effect('b', 14))
      state.messages.push({ topic: 'entries', id: 'other', partition: 0, offset: 3n })
      state.bounds[0] = { topic: 'entries', partition: 0, low: 0n, high: 4n }
      state.positions[0] = { topic: 'entries', partition: 0, nextOffset: 4n }
    }
  },
  {
    what: 'a record below the position has no outcome',
    found: 'I6 poll-skip',
    damage: ({ state }) => {
      state.messages = state.messages.filter(({ id }) => id !== 'id-b')
    }
  },
  {
    what: 'something at the position has its effect',
    found: 'I6 ahead',
    damage: ({ state }) => {
      state.positions[0] = { topic: 'entries', partition: 0, nextOffset: 2n }
      state.bounds[0] = { topic: 'entries', partition: 0, low: 0n, high: 2n }
    }
  },
  {
    what: 'a position is behind the end of the log',
    found: 'I7 unseen',
    damage: ({ state }) => {
      state.bounds[0] = { topic: 'entries', partition: 0, low: 0n, high: 9n }
    }
  },
  {
    what: 'the outbox is not empty',
    found: 'I7 unseen',
    damage: ({ state }) => {
      state.outboxRows = 1
    }
  },
  {
    what: 'a published event has no effect',
    found: 'I1 lost-write',
    damage: ({ state }) => {
      state.effects = without(state.effects, 'c', 'shipments')
    }
  },
  {
    what: 'a published event has two effects',
    found: 'I2 duplicate',
    damage: ({ state }) => void state.effects.push(effect('c', 14, { topic: 'shipments' }))
  },
  {
    what: 'what was rolled back was published',
    found: 'I4 phantom',
    damage: ({ state }) => void state.effects.push(effect('poison', 14, { topic: 'shipments' }))
  },
  {
    what: 'garbage has no dead letter',
    found: 'I1 lost-write',
    damage: ({ state }) => {
      state.log.push({ ...record('x', 3), identity: 'place:0/3', eventId: null, ref: null })
    }
  },
  {
    what: 'garbage has two dead letters',
    found: 'I2 duplicate',
    damage: ({ state }) => {
      state.log.push({ ...record('x', 2), identity: 'place:0/2', eventId: null, ref: null })
      state.deadLetters.push({ ...dead('x', 2), ref: null })
    }
  }
]

for (const { what, found, damage } of broken) {
  t.test(`finds it when ${what}`, async t => {
    const story = cleanStory()
    damage(story)
    t.ok(verdicts(story).includes(found), `${found} in ${verdicts(story).join(', ') || 'nothing'}`)
  })
}

t.test('prints the event and the history around it', async t => {
  const story = cleanStory()
  story.state.effects = without(story.state.effects, 'b')
  const [violation] = check(story.history, story.state)
  t.match(violation?.text, /entries\/b \(key k, seq 1 id id-b\)/)
  t.ok(
    violation?.lines.some(({ ref }) => ref === 'a'),
    'the event of its key before it'
  )
})

t.test('lets an event of unknown fate be there once', async t => {
  const story = cleanStory()
  const { state } = story
  state.log.push(record('lost', 3))
  state.effects.push(effect('lost', 15))
  state.messages.push(message('lost', 3))
  state.bounds[0] = { topic: 'entries', partition: 0, low: 0n, high: 4n }
  state.positions[0] = { topic: 'entries', partition: 0, nextOffset: 4n }
  t.strictSame(verdicts(story), [])
})

t.test('takes the effect of a redrive for the outcome of its event, and does not ask for its place', async t => {
  const story = cleanStory()
  story.state.deadLetters.push(dead('a', 0, 'resolved'))
  story.state.effects = story.state.effects.map(one => (one.ref === 'a' ? { ...one, order: 20n } : one))
  t.strictSame(verdicts(story), [])
})

t.test('takes copies of one event for one event', async t => {
  const story = cleanStory()
  const { state } = story
  state.log.push(record('b', 3))
  state.bounds[0] = { topic: 'entries', partition: 0, low: 0n, high: 4n }
  state.positions[0] = { topic: 'entries', partition: 0, nextOffset: 4n }
  t.strictSame(verdicts(story), [])
})

t.test('does not ask for what was sent into a log that is gone', async t => {
  const story = cleanStory()
  story.state.log = story.state.log.filter(({ topic }) => topic !== 'entries')
  const recreated = new Map([['entries', { untilMs: Number.MAX_SAFE_INTEGER }]])
  t.strictSame(verdicts(story, { recreated }), [])
})
