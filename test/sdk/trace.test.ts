import t from 'tap'
import { findTraceId, traceIdOf } from '../../sdk/trace.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const valid = `00-${traceId}-00f067aa0ba902b7-01`

t.test('finds the trace id of a traceparent', async t => {
  t.equal(findTraceId(valid), traceId)
})

const wrong = [
  undefined,
  '',
  [valid, valid],
  valid.toUpperCase(),
  ` ${valid}`,
  `ff${valid.slice(2)}`,
  valid.replace(traceId, '0'.repeat(32)),
  valid.replace('00f067aa0ba902b7', '0'.repeat(16)),
  `${valid}\n`
]
for (const traceparent of wrong) {
  t.test(`finds none in ${JSON.stringify(traceparent)}`, async t => {
    t.equal(findTraceId(traceparent), undefined)
  })
}

t.test('finds the trace id of a record by the first header of that name', async t => {
  const header = (text: string | null) => ['traceparent', text === null ? null : Buffer.from(text)] as const

  t.equal(traceIdOf({ headers: [['id', Buffer.from(valid)], header(valid), header('x')] }), traceId)
  for (const headers of [[], [header(null)], [header('x'), header(valid)]]) t.equal(traceIdOf({ headers }), undefined)
})
