import t from 'tap'
import { createRecordQueue, type Entry } from '../../kafka/record-queue.ts'

function createQueue(count: number) {
  const queue = createRecordQueue({ topic: 'a', kafkaTopic: 'p.a', partition: 0 })
  const entries = Array.from({ length: count }, (_, index) => ({ index, bytes: 10, isSettled: false }) as Entry)
  for (const entry of entries) queue.push(entry)
  return { queue, entries }
}

function indexes(entries: readonly Entry[]) {
  return entries.map(({ index }) => index)
}

t.test('takes in order, as many bytes as it may', async t => {
  const { queue } = createQueue(5)

  t.strictSame(indexes(queue.take(25)), [0, 1])
  t.strictSame(indexes(queue.take(5)), [2], 'one at least')
  t.strictSame(indexes(queue.take(1_000)), [3, 4])
  t.strictSame(queue.take(1_000), [])
  t.equal(queue.hasEntries(), false)
})

t.test('gives what was put back before what came later, without what settled', async t => {
  const { queue, entries } = createQueue(4)

  queue.putBack(queue.take(25))
  for (const entry of entries.slice(0, 1)) entry.isSettled = true

  t.strictSame(indexes(queue.take(1_000)), [1, 2, 3])
})

t.test('forgets withdrawn records although nothing is taken', async t => {
  const { queue, entries } = createQueue(2_500)

  for (const entry of entries) entry.isSettled = true
  for (const _ of entries) queue.noteWithdrawn()

  t.equal(queue.hasEntries(), false)
})

t.test('keeps its order while it drops what it has given', async t => {
  const { queue } = createQueue(5_000)
  const taken: number[] = []

  for (let entries = queue.take(1_000); entries.length > 0; entries = queue.take(1_000)) taken.push(...indexes(entries))

  t.strictSame(
    taken,
    Array.from({ length: 5_000 }, (_, index) => index)
  )
})
