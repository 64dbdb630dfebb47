import t from 'tap'
import type { MessageRow } from '../../../../gateway/console/web/records.ts'
import { createTail } from '../../../../gateway/console/web/tail.ts'

const rowAt = (second: number, overrides: Partial<MessageRow> = {}): MessageRow => ({
  id: `id-${second}`,
  topic: 'orders',
  partition: 0,
  offset: String(second),
  key: null,
  preview: '{}',
  timestamp: `2026-01-31T12:00:${String(second).padStart(2, '0')}.000Z`,
  ...overrides
})
const secondsOf = ({ rows }: { rows: readonly MessageRow[] }) => rows.map(({ offset }) => Number(offset))

t.test('shows what is there and what arrives once each, newest first', async t => {
  const tail = createTail()

  tail.add([rowAt(3), rowAt(1)])
  t.strictSame(secondsOf(tail.view()), [3, 1])
  tail.add([rowAt(3), rowAt(2), rowAt(4)])
  t.strictSame(secondsOf(tail.view()), [4, 3, 2, 1])

  tail.add([rowAt(3, { topic: 'payments', id: 'id-3' })])
  t.equal(tail.view().rows.length, 5, 'the same id in another topic is another message')
})

t.test('orders by the time to its microsecond, then by id, as the list does', async t => {
  const tail = createTail()
  const times = ['2026-01-31T12:00:00.100Z', '2026-01-31T12:00:00.100001Z', '2026-01-31T12:00:00.100Z']

  tail.add(times.map((timestamp, index) => rowAt(index, { timestamp })))

  t.strictSame(secondsOf(tail.view()), [1, 2, 0])
})

t.test('shows nothing new while it is paused, and all of it after', async t => {
  const tail = createTail()
  tail.add([rowAt(1)])
  tail.view()

  tail.pause()
  tail.add([rowAt(2), rowAt(2), rowAt(3)])
  t.match(tail.view(), { isPaused: true, held: 2 })
  t.strictSame(secondsOf(tail.view()), [1])

  tail.resume()
  t.strictSame(secondsOf(tail.view()), [3, 2, 1])
  t.match(tail.view(), { isPaused: false, held: 0, skipped: 0 })
})

t.test('keeps no more rows than it shows, and counts what it leaves out', async t => {
  const tail = createTail({ maxRows: 3 })

  tail.pause()
  tail.add([1, 2, 3, 4, 5].map(second => rowAt(second)))
  t.match(tail.view(), { held: 3, skipped: 2 })
  tail.skip(10)

  tail.resume()
  t.strictSame(secondsOf(tail.view()), [5, 4, 3])
  tail.add([rowAt(6)])
  t.strictSame(secondsOf(tail.view()), [6, 5, 4])
  t.equal(tail.view().skipped, 12)
})

t.test('knows that some are missing when nobody knows how many', async t => {
  const tail = createTail()
  t.match(tail.view(), { skipped: 0, isCounted: true })

  tail.skip(null)
  tail.skip(2)

  t.match(tail.view(), { skipped: 2, isCounted: false })
})

t.test('is the same view as long as nothing arrives, so that nothing is drawn anew', async t => {
  const tail = createTail()
  tail.add([rowAt(1)])

  t.equal(tail.view().rows, tail.view().rows)
})
