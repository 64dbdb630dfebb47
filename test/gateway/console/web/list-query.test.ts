import t from 'tap'
import { fromLocalInput, toLocalInput, toPath, toRange } from '../../../../gateway/console/web/list-query.ts'

const NOW_MS = Date.parse('2026-01-31T12:00:30.500Z')
const range = (query: string) => toRange(new URLSearchParams(query), NOW_MS)

t.test('gives the range of a list', async t => {
  t.strictSame(range(''), {})
  t.strictSame(range('last=1h'), { from: '2026-01-31T11:00:00.000Z' }, 'from a whole minute')
  t.strictSame(range('from=a&to=b'), { from: 'a', to: 'b' })
  t.strictSame(range('last=never&to=b'), { to: 'b' }, 'a span that is none does not count')
  t.strictSame(range('last=constructor'), {})
})

t.test('builds a path with a query of what is not empty', async t => {
  t.equal(
    toPath('/api/messages', { topic: 'a&b', key: '', partition: 0, from: undefined, cursor: null }),
    '/api/messages?topic=a%26b&partition=0'
  )
  t.equal(toPath('/api/messages', {}), '/api/messages')
})

t.test('a time comes back from the input as it went in, to the minute', async t => {
  const iso = '2026-01-31T12:34:00.000Z'

  t.equal(fromLocalInput(toLocalInput(iso)), iso)
  t.equal(toLocalInput(null), '')
  t.equal(fromLocalInput(''), '')
})
