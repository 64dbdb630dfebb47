import t from 'tap'
import { createSamples, rateBetween, type Sample } from '../../gateway/samples.ts'

const NOTHING = { rate: 0, meanMs: null, p99Ms: null, errorRatio: 0 }

function sample(atSeconds: number, counts: Record<string, number> | null): Sample {
  const written = counts && new Map(Object.entries(counts))
  const unseen = { settled: null, deadLetters: null, lag: null, lagSeconds: null, requests: NOTHING, queries: NOTHING }
  return { ...unseen, atMs: 0, steadyMs: atSeconds * 1000, written }
}

function createRates(samples: readonly Sample[], { nowSeconds = 60, max = 100 } = {}) {
  const remembered = createSamples({ steadyMs: () => nowSeconds * 1000, max })
  for (const one of samples) remembered.add(one)
  return remembered
}

const cases = [
  { when: 'of all topics', samples: [sample(0, { a: 10, b: 5 }), sample(10, { a: 30, b: 35 })], rate: 5 },
  { when: 'of one topic', samples: [sample(0, { a: 10, b: 5 }), sample(10, { a: 30, b: 35 })], topic: 'a', rate: 2 },
  { when: 'without two samples', samples: [sample(0, { a: 10 })], rate: 0 },
  {
    when: 'over 60 seconds',
    samples: [sample(0, { a: 0 }), sample(40, { a: 900 }), sample(70, { a: 960 })],
    now: 90,
    rate: 2
  },
  // It begins below what it was.
  {
    when: 'of a topic that was made anew',
    samples: [sample(0, { a: 90, b: 0 }), sample(10, { a: 5, b: 10 })],
    rate: 1
  },
  { when: 'of a topic that was not there', samples: [sample(0, { b: 0 }), sample(10, { a: 500, b: 10 })], rate: 1 },
  {
    when: 'over a time that was not seen',
    samples: [sample(0, { a: 0 }), sample(5, null), sample(10, { a: 20 })],
    rate: 2
  }
]

for (const { when, samples, topic, now, rate } of cases) {
  t.test(`gives the rate ${when}`, async t => {
    t.equal(createRates(samples, now === undefined ? {} : { nowSeconds: now }).rateOf('written', topic), rate)
  })
}

t.test('does not know a rate from or to what was not seen', async t => {
  t.equal(rateBetween('written', sample(0, null), sample(10, { a: 1 })), null)
  t.equal(rateBetween('written', sample(0, { a: 1 }), sample(10, null)), null)
  t.equal(rateBetween('written', undefined, sample(10, { a: 1 })), null)
})

t.test('forgets the oldest when there are too many', async t => {
  const { all } = createRates([sample(0, {}), sample(1, {}), sample(2, {})], { max: 2 })

  t.strictSame(
    all().map(({ steadyMs }) => steadyMs),
    [1_000, 2_000]
  )
})
