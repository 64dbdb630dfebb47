import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { ParsedEvent } from '../../gateway/parse-batch.ts'
import { createProduce } from '../../gateway/produce.ts'
import { produceGroups } from '../../gateway/produce-groups.ts'
import { type Behaviour, createFakeProducer } from '../_support/fake-kafkajs.ts'
import { functions } from './_support/build-app.ts'
import { until } from './_support/open-request.ts'

const definition = functions.get('user-activities')
const toEvent = (text: string): ParsedEvent => ({ event: { userId: 'one' }, value: Buffer.from(text) })

/** Produces groups of one event of one key through the producer itself, on a made-up Kafka. */
function start(t: Test, behave: Behaviour, maxQueuedBytes = 67_108_864) {
  const { producer, batches, log } = createFakeProducer(behave, { maxQueuedBytes, closeTimeoutMs: 100 })
  t.teardown(() => producer.close())
  const onePartition = { ...producer, partitionCount: async () => 1 }
  const producing = createProduce({ producer: onePartition, timeoutMs: 300, now: () => 1, onSent: () => undefined })
  const run = (groups: AsyncIterable<readonly ParsedEvent[]>) => {
    if (!definition) throw new Error('no function')
    const offer: Parameters<typeof produceGroups>[1]['offer'] = (events, order) =>
      producing.offer(definition, events, order)
    return produceGroups(groups, { offer, takeEvents: () => undefined })
  }
  return { run, producer, batches, written: () => log.values('p.user-activities') }
}

const statuses = (results: readonly { status: number }[]) => results.map(({ status }) => status)

t.test('writes nothing of a key behind a group that Kafka did not take', async t => {
  t.test('when it waited in the queue, and those behind it have more time', async t => {
    let release: () => void = () => undefined
    const { run, batches, written } = start(t, async (batch, call, log) => {
      if (call === 1) await new Promise<void>(resolve => (release = resolve))
      return log.write(batch)
    })
    const results = run(
      (async function* () {
        yield [toEvent('first')]
        await until(() => written().length === 1)
        yield [toEvent('in flight')]
        await until(() => batches.length === 2)
        await sleep(20)
        yield [toEvent('late')]
        await sleep(150)
        yield [toEvent('behind')]
        // The time of the third is over, that of the fourth is not.
        setTimeout(() => release(), 200)
      })()
    )

    t.strictSame(statuses(await results), [202, 503, 503, 503])
    await until(() => written().length >= 2)
    await sleep(100)
    t.strictSame(written(), ['first', 'in flight'], 'and of the second nobody knew')
  })

  t.test('when it waited for room, which comes a moment too late', async t => {
    let release: () => void = () => undefined
    const { run, producer, batches, written } = start(
      t,
      async (batch, call, log) => {
        if (call === 1) await new Promise<void>(resolve => (release = resolve))
        return log.write(batch)
      },
      300
    )
    const results = run(
      (async function* () {
        yield [toEvent('first')]
        await until(() => written().length === 1)
        const other = { partition: 0, key: null, value: Buffer.alloc(300), headers: {}, timestampMs: 1 }
        void producer.append('user-activities', [other], { timeoutMs: 20_000 })
        await until(() => batches.length === 2)
        yield [toEvent('late')]
        await sleep(150)
        yield [toEvent('behind')]
        setTimeout(() => release(), 200)
      })()
    )

    t.strictSame(statuses(await results), [202, 503, 503])
    await sleep(300)
    t.equal(written().length, 2, 'the first, and what filled the queue')
  })
})
