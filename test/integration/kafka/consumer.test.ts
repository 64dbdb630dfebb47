import t, { type Test } from 'tap'
import { createClusterView } from '../../../kafka/cluster.ts'
import { createConsumer } from '../../../kafka/consumer.ts'
import { loadKafkaJs } from '../../../kafka/kafkajs.ts'
import { createTestClient, silent, testBrokers, until } from '../../_support/kafka.ts'

t.setTimeout(180_000)
const client = createTestClient()
const cluster = createClusterView(client, { log: silent })
t.teardown(() => cluster.close())
const { Kafka, logLevel } = loadKafkaJs()
const kafka = new Kafka({ clientId: 'foreign', brokers: testBrokers().split(','), logLevel: logLevel.NOTHING })

async function createTopic(topic: string, config: Record<string, string> = {}) {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  const topics = [{ topic: client.toKafkaTopic(topic), numPartitions: 1, replicationFactor: 1, configEntries }]
  await admin.createTopics({ topics })
  await admin.disconnect()
}

/** Writes records of one key to partition 0, each in a transaction of its own; every one that `isAborted` is undone. */
async function writeTransactions(topic: string, values: readonly string[], isAborted = (_index: number) => false) {
  const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const [index, value] of values.entries()) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: client.toKafkaTopic(topic), messages: [{ partition: 0, key: 'k', value }] })
    await (isAborted(index) ? transaction.abort() : transaction.commit())
  }
  await producer.disconnect()
}

/** Reads partition 0 from its start to its end, as a runner does: what was fetched from above is fetched again. */
async function readAll(t: Test, topic: string) {
  const offsets: string[] = []
  const end = (await cluster.offsets(topic)).get(0)?.logEndOffset ?? 0n
  let next = 0n
  let empty = 0
  let gaps = 0
  const settings = {
    CONSUMER_MAX_BYTES_PER_PARTITION: 1_024,
    CONSUMER_MAX_WAIT_MS: 50,
    CONSUMER_SESSION_TIMEOUT_MS: 10_000
  }
  const consumer = createConsumer(client, settings, {
    topic,
    groupId: `group-${topic}`,
    events: {
      onAssigned: () => consumer.start(0, 0n),
      async onBatch({ fetchedOffset, endOffset, records }) {
        if (fetchedOffset > next) {
          gaps += 1
          return consumer.start(0, next)
        }
        if (records.length === 0) empty += 1
        for (const { offset } of records) offsets.push(offset)
        next = endOffset
      },
      onCrash: error => t.fail(error)
    }
  })
  t.teardown(() => consumer.stop())
  await consumer.run()
  await until(() => next >= end || gaps > 20, 30_000)
  await consumer.stop()
  return { offsets, gaps, empty, isAtEnd: next >= end }
}

t.test('rule 1: gets past markers of transactions whose records a compaction removed', async t => {
  const config = {
    'cleanup.policy': 'compact',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.001',
    'max.compaction.lag.ms': '100'
  }
  await createTopic('compacted', config)
  await writeTransactions('compacted', Array(40).fill('x'.repeat(4_096)))
  await until(async () => {
    // Only segments that nothing is written to any more are cleaned.
    await writeTransactions('compacted', ['last'])
    await new Promise(resolve => setTimeout(resolve, 1_000))
    return ((await cluster.logDirs())?.topicBytes.get('compacted') ?? 1_000_000n) < 12_000n
  }, 120_000)

  const { offsets, gaps, empty, isAtEnd } = await readAll(t, 'compacted')

  t.equal(isAtEnd, true)
  t.equal(gaps, 0, 'a hole is no loss')
  t.ok(empty > 0, `${empty} batches of markers only`)
  t.ok(offsets.length > 0 && offsets.length < 40, `${offsets.length} records are left`)
})

t.test('rule 1: gets past records of transactions that were aborted', async t => {
  await createTopic('aborted')
  await writeTransactions('aborted', Array(20).fill('x'.repeat(2_048)), index => index % 5 !== 0)

  const { offsets, gaps, empty, isAtEnd } = await readAll(t, 'aborted')

  t.equal(isAtEnd, true)
  t.equal(gaps, 0)
  t.ok(empty > 0)
  t.strictSame(offsets, ['0', '10', '20', '30'])
})
