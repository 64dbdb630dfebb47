import { pino } from 'pino'
import t from 'tap'
import { createPatience, logOnce, type Patience } from '../../runner/patience.ts'
import { kafkaJsError } from '../_support/fake-kafkajs.ts'

const loading = kafkaJsError('GROUP_LOAD_IN_PROGRESS')
const refused = kafkaJsError('GROUP_AUTHORIZATION_FAILED')

/** A row of failures, and the levels at which they were logged. */
function createRow() {
  const levels: string[] = []
  const log = pino(
    { level: 'debug', formatters: { level: level => ({ level }) } },
    { write: (line: string) => void levels.push(JSON.parse(line).level) }
  )
  const patience = createPatience()
  let passedMs = 0
  const at: Patience = { ...patience, failingMs: () => passedMs }
  return {
    levels,
    fail(error: unknown, afterMs = passedMs) {
      passedMs = afterMs
      logOnce(log, at, error, 'not yet')
    },
    succeed() {
      passedMs = 0
      patience.reset()
    }
  }
}

const rows = [
  { when: 'a failure repeats', errors: [refused, refused, refused], levels: ['error', 'debug', 'debug'] },
  { when: 'a coordinator loads', errors: [loading, loading, loading], levels: ['warn', 'debug', 'debug'] },
  { when: 'something else fails then', errors: [loading, refused, refused], levels: ['warn', 'error', 'debug'] },
  { when: 'it loads after something else', errors: [refused, loading, refused], levels: ['error', 'debug', 'debug'] }
]
for (const { when, errors, levels } of rows) {
  t.test(`says the first of a row aloud when ${when}`, async t => {
    const row = createRow()

    for (const [index, error] of errors.entries()) row.fail(error, index * 100)

    t.strictSame(row.levels, levels)
  })
}

t.test('takes a coordinator that loads for long as an error', async t => {
  const row = createRow()

  for (const afterMs of [0, 29_000, 30_000, 31_000]) row.fail(loading, afterMs)

  t.strictSame(row.levels, ['warn', 'debug', 'error', 'debug'])
})

t.test('begins a new row after a success', async t => {
  const row = createRow()

  for (const error of [loading, refused]) row.fail(error)
  row.succeed()
  for (const error of [loading, refused]) row.fail(error)

  t.strictSame(row.levels, ['warn', 'error', 'warn', 'error'])
})
