import t from 'tap'
import type { AlertState } from '../../../db/queries/alert-turns.ts'
import { evaluate } from '../../../gateway/alerts/evaluate.ts'
import type { AlertInputs, AlertRule, Reading } from '../../../gateway/alerts/types.ts'

const MINUTE_MS = 60_000
const START_MS = Date.UTC(2026, 0, 31, 12)
const inputs = {} as AlertInputs

function rule(given: Partial<AlertRule>, readings: readonly Reading[] | null): AlertRule {
  return {
    name: 'TooMuch',
    severity: 'warning',
    threshold: 100,
    clearsAt: 80,
    unit: 'records',
    forSeconds: 0,
    summary: 'Too much of it',
    description: '',
    action: '',
    ...given,
    measure: () => readings
  }
}

interface Step {
  /** Of the one subject; null is unknown, and nothing is that there is no such subject. */
  readonly value?: number | null
  readonly atMs: number
}

/** Evaluates a rule step by step. */
function run(given: Partial<AlertRule>, steps: readonly Step[], subject: string | null = 'a') {
  let states: readonly AlertState[] = []
  const said: (string | undefined)[] = []
  const notices = steps.flatMap(({ value, atMs }) => {
    const readings = value === undefined ? [] : [{ subject, value }]
    const evaluated = evaluate([rule(given, readings)], inputs, { states, nowMs: START_MS + atMs })
    states = evaluated.states
    said.push(states[0]?.state)
    return evaluated.notices
  })
  return { states, said, notices }
}

t.test('tells once that an alert fires and once that it clears', async t => {
  const { said, notices } = run({}, [
    { value: 100, atMs: 0 },
    { value: 101, atMs: 10_000 },
    { value: 500, atMs: 20_000 },
    { value: 80, atMs: 30_000 },
    { value: 10, atMs: 40_000 }
  ])

  t.strictSame(said, ['ok', 'firing', 'firing', 'ok', 'ok'])
  t.match(notices, [
    { event: 'fired', name: 'TooMuch', subject: 'a', value: 101, threshold: 100, atMs: START_MS + 10_000 },
    { event: 'cleared', value: 80, atMs: START_MS + 30_000 }
  ])
  t.equal(notices.length, 2)
  t.equal(notices[0]?.summary, 'Too much of it (a): 101 records, more than 100 records')
  t.equal(notices[1]?.summary, 'Over: Too much of it (a): 80 records')
})

t.test('waits as long as the rule says, and begins anew when the value falls meanwhile', async t => {
  const { said, states, notices } = run({ forSeconds: 60 }, [
    { value: 101, atMs: 0 },
    { value: 101, atMs: 50_000 },
    { value: 100, atMs: 55_000 },
    { value: 101, atMs: 60_000 },
    { value: 101, atMs: 119_999 },
    { value: 101, atMs: 120_000 }
  ])

  t.strictSame(said, ['pending', 'pending', 'ok', 'pending', 'pending', 'firing'])
  t.equal(states[0]?.sinceMs, START_MS + 60_000)
  t.equal(notices.length, 1)
})

t.test('changes nothing while the value is between the two borders', async t => {
  const values = [101, 90, 81, 95, 80, 90, 100]

  const { said } = run(
    {},
    values.map((value, index) => ({ value, atMs: index * 1_000 }))
  )

  t.strictSame(said, ['firing', 'firing', 'firing', 'firing', 'ok', 'ok', 'ok'])
})

t.test('leaves what was said as it is while the value is unknown, and says so', async t => {
  const { said, states, notices } = run({ forSeconds: 60 }, [
    { value: null, atMs: 0 },
    { value: 101, atMs: 10_000 },
    { value: null, atMs: 200_000 },
    { value: 101, atMs: 210_000 },
    { value: Number.NaN, atMs: 220_000 }
  ])

  t.strictSame(said, ['ok', 'pending', 'pending', 'firing', 'firing'])
  t.match(states, [{ value: null }])
  t.equal(notices.length, 1)
})

t.test('leaves all of a rule as it is that can measure nothing', async t => {
  const firing: AlertState = { name: 'TooMuch', subject: 'a', state: 'firing', value: 7, sinceMs: 1, episodeMs: 0 }

  const { states, notices } = evaluate([rule({}, null)], inputs, { states: [firing], nowMs: START_MS })

  t.strictSame(states, [{ ...firing, value: null }])
  t.strictSame(notices, [])
})

t.test('takes a subject that is gone for well, and forgets it an hour later', async t => {
  const { said, notices } = run({}, [
    { value: 101, atMs: 0 },
    { atMs: 10_000 },
    { atMs: 59 * MINUTE_MS },
    { atMs: 61 * MINUTE_MS }
  ])

  t.strictSame(said, ['firing', 'ok', 'ok', undefined])
  t.match(notices, [{ event: 'fired' }, { event: 'cleared', value: 0 }])
})

t.test('keeps the subjects of a rule apart', async t => {
  const readings = [
    { subject: 'a', value: 101 },
    { subject: 'b', value: 1 },
    { subject: null, value: 102 }
  ]

  const { states, notices } = evaluate([rule({}, readings)], inputs, { states: [], nowMs: START_MS })

  t.match(states, [
    { subject: 'a', state: 'firing' },
    { subject: 'b', state: 'ok' },
    { subject: null, state: 'firing' }
  ])
  t.equal(new Set(notices.map(({ id }) => id)).size, 2)
})

t.test('gives a notice the same id on gateways that saw the fault some seconds apart', async t => {
  const one = run({}, [
    { value: 101, atMs: 1_000 },
    { value: 0, atMs: 60_000 }
  ])
  const other = run({}, [
    { value: 500, atMs: 8_000 },
    { value: 0, atMs: 70_000 }
  ])

  t.strictSame(
    one.notices.map(({ id }) => id),
    other.notices.map(({ id }) => id)
  )
  t.not(one.notices[0]?.id, one.notices[1]?.id)
})

t.test('gives the notices of each time that an alert fires other ids, however soon it fires again', async t => {
  const flapping = Array.from({ length: 10 }, (_, index) => ({ value: index % 2 === 0 ? 101 : 0, atMs: index * 1_000 }))

  const { notices } = run({}, flapping)

  t.equal(new Set(notices.map(({ id }) => id)).size, 10)
})

t.test('begins the wait anew when the clock was set back', async t => {
  const { said } = run({ forSeconds: 60 }, [
    { value: 101, atMs: 3_600_000 },
    { value: 101, atMs: 0 },
    { value: 101, atMs: 60_000 }
  ])

  t.strictSame(said, ['pending', 'pending', 'firing'])
})
