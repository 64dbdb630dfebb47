import t from 'tap'
import { findOldest } from '../../kafka/find-oldest.ts'
import { loadKafkaJs } from '../../kafka/kafkajs.ts'
import type { Broker } from '../../kafka/kafkajs-internals.ts'
import { kafkaJsError } from '../_support/fake-kafkajs.ts'

loadKafkaJs()
const READ_UNCOMMITTED = 0

interface Answer {
  readonly records?: readonly { offset: number; isControl?: boolean }[]
  readonly end: number
}

/** A leader that gives its answers one after the other, the last one again and again, and keeps what it was asked. */
function createLeader(answers: readonly (Answer | Error)[]) {
  const asked: { offset: string; isCommitted: boolean }[] = []
  const fetch: Broker['fetch'] = async ({ isolationLevel, topics }) => {
    const partition = topics[0]?.partitions[0]
    asked.push({ offset: partition?.fetchOffset ?? '', isCommitted: isolationLevel !== READ_UNCOMMITTED })
    const answer = answers[Math.min(asked.length, answers.length) - 1]
    if (answer instanceof Error || !answer) throw answer
    const messages = (answer.records ?? []).map(({ offset, isControl = false }) => ({
      ...{
        offset: String(offset),
        timestamp: String(1_000 + offset),
        key: null,
        value: Buffer.from('{}'),
        headers: {}
      },
      ...{ isControlRecord: isControl, batchContext: { producerId: '1', inTransaction: true } }
    }))
    return {
      responses: [{ topicName: 'a', partitions: [{ partition: 0, highWatermark: String(answer.end), messages }] }]
    }
  }
  const link = { node: <T>(_id: number, ask: (broker: Broker) => Promise<T>) => ask({ fetch } as Broker) }
  return { asked, find: (offset: bigint) => findOldest(link, { leader: 1, name: 'a', partition: 0, offset }) }
}

t.test('gives the first record at or above the offset, with one fetch', async t => {
  // A broker gives whole batches: what lies below comes too.
  const { find, asked } = createLeader([{ records: [{ offset: 3 }, { offset: 5 }, { offset: 6 }], end: 9 }])

  t.strictSame(await find(4n), { offset: 5n, timestampMs: 1_005 })
  t.strictSame(asked, [{ offset: '4', isCommitted: true }])
})

t.test('steps over control records', async t => {
  const markers = { records: [{ offset: 4, isControl: true }], end: 9 }
  const { find, asked } = createLeader([markers, { records: [{ offset: 7 }], end: 9 }])

  t.strictSame(await find(4n), { offset: 7n, timestampMs: 1_007 })
  t.strictSame(
    asked.map(({ offset }) => offset),
    ['4', '5']
  )
})

t.test('finds nothing where nothing but control records is left', async t => {
  const { find } = createLeader([{ records: [{ offset: 8, isControl: true }], end: 9 }, { end: 9 }])

  t.equal(await find(8n), null)
})

t.test('gives a record of a transaction that is not decided yet: it waits, too', async t => {
  const { find, asked } = createLeader([{ end: 9 }, { records: [{ offset: 4 }], end: 9 }])

  t.strictSame(await find(4n), { offset: 4n, timestampMs: 1_004 })
  t.strictSame(
    asked.map(({ isCommitted }) => isCommitted),
    [true, false]
  )
})

t.test('finds nothing in a hole at the end of the log', async t => {
  const { find, asked } = createLeader([{ end: 9 }])

  t.equal(await find(4n), null)
  t.equal(asked.length, 2)
})

t.test('does not know what the log does not hold any more', async t => {
  const { find } = createLeader([kafkaJsError('OFFSET_OUT_OF_RANGE')])

  t.equal(await find(4n), undefined)
})

t.test('gives up where markers never end', async t => {
  let offset = 0
  const answers = Array.from({ length: 100 }, () => ({ records: [{ offset: offset++, isControl: true }], end: 1_000 }))
  const { find, asked } = createLeader(answers)

  t.equal(await find(0n), undefined)
  t.equal(asked.length, 20)
})
