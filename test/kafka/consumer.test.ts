import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { KafkaClient } from '../../kafka/client.ts'
import { createConsumer } from '../../kafka/consumer.ts'
import { silent, until } from '../_support/kafka.ts'

const settings = {
  CONSUMER_MAX_BYTES_PER_PARTITION: 1_024,
  CONSUMER_MAX_WAIT_MS: 50,
  CONSUMER_SESSION_TIMEOUT_MS: 10_000
}

/** KafkaJS's consumer as it is while it joins: what disconnects it before it has joined is lost (tulios/kafkajs#1639). */
function fakeKafkaJs() {
  const emitter = new EventEmitter()
  const events = {
    GROUP_JOIN: 'join',
    FETCH: 'fetch',
    START_BATCH_PROCESS: 'start',
    CRASH: 'crash'
  }
  let hasJoined = false
  let isMember = false
  const consumer = {
    events,
    on: (event: string, listener: (event: { payload: unknown }) => void) => emitter.on(event, listener),
    connect: async () => undefined,
    subscribe: async () => undefined,
    run: async () => undefined,
    pause: () => undefined,
    async disconnect() {
      if (hasJoined) isMember = false
    }
  }
  return {
    client: {
      log: silent,
      toKafkaTopic: (topic: string) => topic,
      consumer: () => consumer
    } as unknown as KafkaClient,
    async join() {
      emitter.emit('join', { payload: { memberAssignment: { a: [0] } } })
      isMember = true
      // The event comes before KafkaJS knows that it runs.
      await sleep(20)
      hasJoined = true
    },
    crash: () => emitter.emit('crash', { payload: { error: new Error('over') } }),
    isMember: () => isMember
  }
}

t.test('a consumer that is stopped while it joins leaves the group once it has joined', async t => {
  const kafkaJs = fakeKafkaJs()
  const assigned: (readonly number[])[] = []
  const consumer = createConsumer(kafkaJs.client, settings, {
    topic: 'a',
    groupId: 'g',
    events: { onAssigned: partitions => assigned.push(partitions), onBatch: async () => undefined, onCrash: t.fail }
  })
  const running = consumer.run().catch(() => undefined)
  await sleep(10)
  const stopped = consumer.stop()
  await sleep(10)

  await kafkaJs.join()
  t.equal(kafkaJs.isMember(), true)
  await until(() => !kafkaJs.isMember(), 2_000)

  t.strictSame(assigned, [])
  const isOver = Promise.all([running, stopped]).then(() => true)
  t.ok(await Promise.race([isOver, sleep(4_000, false)]), 'who stops it waits no longer than for that')
})
