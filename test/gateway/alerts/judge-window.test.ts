import t from 'tap'
import {
  hasAlwaysLagged,
  hasRewound,
  hasStalled,
  hasStopped,
  isLosing,
  judgeWindow,
  type WindowSample,
  wasAtEnd
} from '../../../gateway/alerts/judge-window.ts'

// The cases that Burrow publishes as the proof of its rules, by their numbers there: core/internal/evaluator/caching_test.go
// of https://github.com/linkedin/Burrow (Apache License 2.0). Times are in milliseconds.
const upTo5 = [1, 2, 3, 4, 5]
const window = (offsets: readonly number[], lags: readonly (number | null)[]) =>
  offsets.map((offset, index): WindowSample => {
    return { offset: BigInt(offset), lag: lags[index] ?? null, atMs: 100_000 * (index + 1) }
  })
const moving = upTo5.map(step => step * 1000)
const standing = upTo5.map(() => 1000)
const everySecond = [
  618_356, 619_362, 620_366, 621_367, 622_370, 623_373, 624_378, 625_379, 626_383, 627_383, 628_383, 629_388, 630_391,
  631_394, 632_397
].map((ms, index): WindowSample => ({ offset: BigInt(792_748_079 + index), lag: 0, atMs: 1_512_224_000_000 + ms }))
const halves = [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5].map((step, index): WindowSample => {
  return { offset: BigInt(step * 1000), lag: index % 2 === 0 ? (index / 2) * 50 : null, atMs: step * 100_000 }
})

const cases = [
  {
    when: '0: there was no lag somewhere',
    samples: window(moving, [0, 50, 100, 150, 200]),
    ends: [5200],
    lag: 200,
    nowMs: 600_000,
    rules: { always: false, rewound: false, stopped: false, stalled: false, losing: true, atEnd: false },
    status: 'ok'
  },
  {
    when: '1: the last sample is as old as the window is long, and no older',
    samples: window(moving, [0, 50, 100, 150, 200]),
    ends: [5200],
    lag: 200,
    nowMs: 900_000,
    rules: { always: false, rewound: false, stopped: false, stalled: false, losing: true, atEnd: false },
    status: 'ok'
  },
  {
    when: '2: the last sample is older, although there was no lag at the start',
    samples: window(moving, [0, 50, 100, 150, 200]),
    ends: [5200],
    lag: 200,
    nowMs: 1_000_000,
    rules: { always: false, rewound: false, stopped: true, stalled: false, losing: true, atEnd: false },
    status: 'stopped'
  },
  {
    when: '3: the same with lag all the time',
    samples: window(moving, [50, 100, 150, 200, 250]),
    ends: [5250],
    lag: 250,
    nowMs: 1_000_000,
    rules: { always: true, rewound: false, stopped: true, stalled: false, losing: true, atEnd: false },
    status: 'stopped'
  },
  {
    when: '4: it stands, and there was no lag at the start',
    samples: window(standing, [0, 50, 100, 150, 200]),
    ends: [1200],
    lag: 200,
    nowMs: 600_000,
    rules: { always: false, rewound: false, stopped: false, stalled: true, losing: true, atEnd: false },
    status: 'ok'
  },
  {
    when: '5: it stands, and there was lag all the time',
    samples: window(standing, [100, 150, 200, 250, 300]),
    ends: [1300],
    lag: 300,
    nowMs: 600_000,
    rules: { always: true, rewound: false, stopped: false, stalled: true, losing: true, atEnd: false },
    status: 'stalled'
  },
  {
    when: '6: it stands, and the lag stays the same',
    samples: window(standing, [100, 100, 100, 100, 100]),
    ends: [1100],
    lag: 100,
    nowMs: 600_000,
    rules: { always: true, rewound: false, stopped: false, stalled: true, losing: true, atEnd: false },
    status: 'stalled'
  },
  {
    when: '7: it went back, although the lag falls after that',
    samples: window([1000, 2000, 3000, 2000, 4000], [100, 150, 200, 1250, 300]),
    ends: [4300],
    lag: 300,
    nowMs: 600_000,
    rules: { always: true, rewound: true, stopped: false, stalled: false, losing: false, atEnd: false },
    status: 'rewound'
  },
  {
    when: '8: there is no lag now, whatever there was',
    samples: window(moving, [50, 100, 150, 200, 250]),
    ends: [5250],
    lag: 0,
    nowMs: 1_000_000,
    rules: { always: true, rewound: false, stopped: true, stalled: false, losing: true, atEnd: false },
    status: 'ok'
  },
  {
    when: '9: there never was lag, and now there are new records that nobody takes',
    samples: everySecond,
    ends: [792_749_024, 792_749_000, 792_748_800, 792_748_600, 792_748_500],
    lag: 931,
    nowMs: 1_512_224_650_000,
    rules: { always: false, rewound: false, stopped: true, stalled: false, losing: true, atEnd: false },
    status: 'stopped'
  },
  {
    when: '10: the same, but the end was reached a moment ago',
    samples: everySecond,
    ends: [792_748_094, 792_748_093, 792_748_093, 792_748_093],
    lag: 1,
    nowMs: 1_512_224_650_000,
    rules: { always: false, rewound: false, stopped: true, stalled: false, losing: true, atEnd: true },
    status: 'ok'
  },
  {
    when: '11: as 0, and of some samples the lag is not known',
    samples: halves,
    ends: [5700],
    lag: 200,
    nowMs: 600_000,
    rules: { always: false, rewound: false, stopped: false, stalled: false, losing: true, atEnd: false },
    status: 'ok'
  }
]

for (const { when, samples, ends, lag, nowMs, rules, status } of cases) {
  t.test(`judges as Burrow does, case ${when}`, async t => {
    const recentEnds = ends.map(BigInt)

    t.strictSame(
      {
        always: hasAlwaysLagged(samples),
        rewound: hasRewound(samples),
        stopped: hasStopped(samples, nowMs),
        stalled: hasStalled(samples),
        losing: isLosing(samples),
        atEnd: wasAtEnd(samples, recentEnds)
      },
      rules
    )
    t.equal(judgeWindow(samples, { lag, recentEnds, nowMs }), status)
  })
}

t.test('calls one slow that moves, and whose lag never falls', async t => {
  const samples = window(moving, [50, 100, 150, 150, 200])

  t.equal(judgeWindow(samples, { lag: 200, recentEnds: [5200n], nowMs: 600_000 }), 'slow')
})
