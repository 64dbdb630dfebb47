import t from 'tap'
import { type AssignedPartition, createAssignedPartition } from '../../runner/assigned-partition.ts'
import { createSupervision } from '../../runner/supervise.ts'
import { silent } from '../_support/kafka.ts'
import { batch, range } from './_support/records.ts'

/** A consumer at 5 of partition 0, whose log ends at 9. */
function createSupervised({ isWaiting = () => false as boolean, stableEndOffset = 9n } = {}) {
  const partition = createAssignedPartition({ partition: 0, nextOffset: 5n, topicId: null })
  const owned = new Map<number, AssignedPartition>([[0, partition]])
  const happened: string[] = []
  const look = createSupervision({
    owned,
    isWaiting,
    rebuild: () => happened.push('rebuild'),
    giveUp: () => happened.push('give up'),
    log: silent
  })
  const bounds = {
    topicId: null,
    byPartition: new Map([[0, { logStartOffset: 0n, logEndOffset: 9n, stableEndOffset }]])
  }
  return { partition, owned, happened, look: () => look(bounds) }
}

t.test('makes a consumer anew that fetches nothing although there is something', async t => {
  const { happened, look } = createSupervised()

  look()
  t.strictSame(happened, [], 'it may just have come')
  look()

  t.strictSame(happened, ['rebuild'])
})

const excuses: { when: string; change: (supervised: ReturnType<typeof createSupervised>) => void }[] = [
  {
    when: 'it fetched something',
    change: ({ partition }) => partition.moveTo({ ...partition.position, nextOffset: 6n })
  },
  {
    when: 'it has fetched all',
    change: ({ partition }) => partition.moveTo({ ...partition.position, nextOffset: 9n })
  },
  { when: 'records wait in its queue', change: ({ partition }) => partition.queue.push(batch(5, range(5, 6))) },
  { when: 'a record is in hand', change: ({ partition }) => Object.assign(partition, { fetchedTo: 6n }) },
  { when: 'the partition is paused', change: ({ partition }) => Object.assign(partition, { isPaused: true }) },
  { when: 'it is being written', change: ({ partition }) => Object.assign(partition, { isWriting: true }) },
  { when: 'another member has the partition', change: ({ owned }) => void owned.delete(0) }
]
for (const { when, change } of excuses) {
  t.test(`leaves a consumer alone when ${when}`, async t => {
    const supervised = createSupervised()

    supervised.look()
    change(supervised)
    supervised.look()

    t.strictSame(supervised.happened, [])
  })
}

t.test('leaves a consumer alone that waits for PostgreSQL, or for someone to act', async t => {
  const { happened, look } = createSupervised({ isWaiting: () => true })

  for (let times = 0; times < 5; times += 1) look()

  t.strictSame(happened, [])
})

t.test('leaves a consumer alone behind an open transaction of a producer', async t => {
  const { happened, look } = createSupervised({ stableEndOffset: 5n })

  for (let times = 0; times < 5; times += 1) look()

  t.strictSame(happened, [])
})

t.test('gives up after five new consumers in vain', async t => {
  const { happened, look } = createSupervised()

  for (let times = 0; times < 12; times += 1) look()

  t.strictSame(happened, [...Array(5).fill('rebuild'), 'give up'])
})

t.test('counts anew once a new consumer fetched something', async t => {
  const { happened, look, partition } = createSupervised()

  for (let times = 0; times < 9; times += 1) look()
  partition.moveTo({ ...partition.position, nextOffset: 6n })
  for (let times = 0; times < 9; times += 1) look()

  t.strictSame(new Set(happened), new Set(['rebuild']))
})
