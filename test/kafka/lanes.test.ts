import t from 'tap'
import { type Budget, createAppend } from '../../kafka/append.ts'
import { createLanes } from '../../kafka/lanes.ts'
import { createRecordQueue, type Entry } from '../../kafka/record-queue.ts'
import type { Sender, TopicMessages } from '../../kafka/sender.ts'
import { kafkaJsError } from '../_support/fake-kafkajs.ts'

/** Lanes on a sender that does what it is told, and what each of its sends asks for. */
function createLanesOf(send: (toBatch: () => TopicMessages[]) => ReturnType<Sender['send']>, { lanes = 4 } = {}) {
  const budget: Budget = { maxBytes: Number.MAX_SAFE_INTEGER, usedBytes: 0 }
  const sender: Sender = {
    isApart: () => false,
    send: (_topics, toBatch) => send(toBatch),
    renew: () => undefined,
    close: async () => undefined
  }
  const running = createLanes({ sender, budget, lanes, lingerMs: 0, batchBytes: 1_000, onOutcome: () => undefined })

  /** Gives a partition one record: one of its own, or the one of `queue`. */
  function push(
    partition: number,
    bytes: number,
    queue = createRecordQueue({ topic: 'a', kafkaTopic: 'a', partition })
  ): Entry {
    const timeoutMs = 60_000
    const append = createAppend(1, { timeoutMs, budget })
    t.teardown(() => append.expire())
    const entry: Entry = {
      ...{ partition, key: null, value: null, headers: {}, timestamp: '1', bytes, append, index: 0, queue },
      ...{ isSent: false, doubt: 'none', isInFlight: false, isSettled: false }
    }
    budget.usedBytes += bytes
    append.add(entry)
    queue.push(entry)
    running.note(bytes)
    running.wake(queue)
    return entry
  }
  return { push, budget }
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate)
}

t.test('lets what a send has no room for go by the next lane', async t => {
  const sent: number[][] = []
  const { push } = createLanesOf(toBatch => {
    sent.push(toBatch().flatMap(({ messages }) => messages.map(({ partition }) => partition)))
    return new Promise(() => undefined)
  })

  for (let partition = 0; partition < 14; partition += 1) push(partition, 800_000)
  await turns(5)

  t.strictSame(sent, [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    [11, 12, 13]
  ])
})

t.test('writes nothing by a connection that comes after its send was given up', async t => {
  const late: (() => TopicMessages[])[] = []
  const { push, budget } = createLanesOf(toBatch => {
    late.push(toBatch)
    return late.length === 1 ? Promise.reject(new Error('no connection')) : new Promise(() => undefined)
  })
  const given = push(0, 100)
  await turns(3)
  given.append.expire()
  push(1, 100)
  await turns(3)

  t.strictSame(late[0]?.(), [])
  t.equal(budget.usedBytes, 100)
  t.equal(late.length, 2)
  t.equal(late[1]?.().length, 1)
})

t.test('sends nothing of a partition before those have heard of a refusal who may withdraw it', async t => {
  const sent: number[] = []
  const { push } = createLanesOf(toBatch => {
    sent.push(toBatch().flatMap(({ messages }) => messages).length)
    return Promise.reject(kafkaJsError('INVALID_RECORD'))
  })
  const queue = createRecordQueue({ topic: 'a', kafkaTopic: 'a', partition: 0 })
  // As after a failure: alone, and record by record.
  Object.assign(queue, { isAlone: true, maxRecords: 1 })
  const refused = push(0, 100, queue)
  const next = push(0, 100, queue)

  const [result] = await refused.append.settled
  for (let tick = 0; tick < 10; tick += 1) await null
  next.append.withdraw()
  await turns(5)

  t.match(result, { error: Error })
  t.match(await next.append.settled, [{ error: { code: 'SMG_KAFKA_WITHDRAWN' } }])
  t.strictSame(sent, [1])
})
