import t from 'tap'
import { findTrace, toPairs, toRow } from '../../../../gateway/console/web/records.ts'

t.test('a row has no value and no long key', async t => {
  const message = {
    id: 'i',
    topic: 't',
    partition: 1,
    offset: '2',
    key: 'k'.repeat(1000),
    value: { large: true },
    headers: {},
    timestamp: '2026-01-31T12:00:00.000Z',
    receivedAt: '2026-01-31T12:00:00.000Z'
  }

  const row = toRow(message, () => 'short')

  t.strictSame(Object.keys(row).toSorted(), ['id', 'key', 'offset', 'partition', 'preview', 'timestamp', 'topic'])
  t.equal(row.key?.length, 201)
  t.equal(row.preview, 'short')
})

t.test('gives every header, and the ids of its trace', async t => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

  t.strictSame(toPairs({ a: '1', b: ['2', null], c: null }), [
    ['a', '1'],
    ['b', '2'],
    ['b', null],
    ['c', null]
  ])
  t.strictSame(findTrace({ traceparent }), { traceId: 'a'.repeat(32), parentId: 'b'.repeat(16) })
  t.equal(findTrace({}), null)
  t.equal(findTrace({ traceparent: ['x', 'y'] }), null)
})
