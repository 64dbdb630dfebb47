import type { Admin } from 'kafkajs'
import t from 'tap'
import { loadKafkaJs } from '../../kafka/kafkajs.ts'
import { readGroupTool } from '../_support/group-tool.ts'
import { createTestClient } from '../_support/kafka.ts'
import { readRecords } from '../_support/kafka-records.ts'
import { startProcesses } from '../_support/processes.ts'

t.setTimeout(240_000)
const TOPIC = 'user-activities'
const MINUTE_MS = 60_000
const processes = await startProcesses(t, { runners: 0, environment: { FUNCTIONS: TOPIC } })
const { until, gatewayUrl, kafkaBrokers, topicPrefix, groupPrefix } = processes
const { Kafka, logLevel } = loadKafkaJs()
const kafka = new Kafka({ clientId: 'foreign', brokers: kafkaBrokers.split(','), logLevel: logLevel.NOTHING })
const kafkaTopic = `${topicPrefix}${TOPIC}`
const client = createTestClient({ TOPIC_PREFIX: topicPrefix })

interface Partition {
  readonly partition: number
  readonly lag: number
  readonly nextOffset: string | null
}

interface Topic {
  readonly lag: number
  readonly lagSeconds: number | null
  readonly partitions: readonly Partition[]
}

async function read(): Promise<Topic> {
  const response = await fetch(`${gatewayUrl}/api/topics/${TOPIC}`)
  return (await response.json()) as Topic
}

function events(count: number, ageMs: number) {
  const timestamp = String(Date.now() - ageMs)
  return Array.from({ length: count }, () => ({
    ...{ partition: 0, key: 'k', value: '{"userId":"u","action":"a"}', timestamp }
  }))
}

async function send(count: number, { ageMs = 0 } = {}) {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  await producer.send({ topic: kafkaTopic, messages: events(count, ageMs) })
  await producer.disconnect()
}

/** One transaction after the other, each with its control record. */
async function sendInTransactions(fates: readonly ('commit' | 'abort')[]) {
  const producer = kafka.producer({ transactionalId: kafkaTopic, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const fate of fates) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: kafkaTopic, messages: events(2, 0) })
    await transaction[fate]()
  }
  await producer.disconnect()
}

async function withAdmin(work: (admin: Admin) => Promise<unknown>) {
  const admin = kafka.admin()
  await admin.connect()
  await work(admin).finally(() => admin.disconnect())
}

async function switchTo(what: 'pause' | 'resume') {
  const response = await fetch(`${gatewayUrl}/api/functions/${TOPIC}/${what}`, { method: 'POST' })
  t.ok(response.ok, what)
}

/** Waits until Kafka's commit has followed, and gives both. */
async function compare() {
  const lagOf = async () => {
    const lags = await readGroupTool(kafkaBrokers, `${groupPrefix}${TOPIC}`)
    return [...lags].map(([place, lag]) => [place, lag] as const).sort()
  }
  const ours = async () =>
    (await read()).partitions.map(({ partition, lag }) => [`${kafkaTopic}/${partition}`, lag] as const).sort()
  await until(async () => JSON.stringify(await lagOf()) === JSON.stringify(await ours()), {
    timeoutMs: 60_000,
    what: `the group tool and the gateway agree: ${JSON.stringify(await lagOf())} ${JSON.stringify(await ours())}`
  })
  return (await read()).lag
}

t.test('before the first commit it is what reading the topic counts, and as old as its oldest record', async t => {
  await send(5, { ageMs: 10 * MINUTE_MS })
  await send(7)

  const { lag, lagSeconds } = await read()

  t.equal(lag, (await readRecords(client, TOPIC, 12)).length)
  t.ok(Number(lagSeconds) >= 600 && Number(lagSeconds) < 700, `${lagSeconds} s`)
})

t.test('caught up it is 0, for Kafka’s group tool too', async t => {
  await processes.startRunner('runner-0')
  await until(async () => (await read()).lag === 0)

  t.equal(await compare(), 0)
  t.equal((await read()).lagSeconds, 0)
})

t.test('a runner and a gateway tell Prometheus of it', async t => {
  const ask = async (name: string) => (await fetch(`${processes.urlOf(name)}/metrics`)).text()
  const labels = `{messaging_destination_name="${TOPIC}",messaging_consumer_group_name="${groupPrefix}${TOPIC}"}`
  const runner = await ask('runner-0')

  for (const line of [
    `messaging_client_consumed_messages_total${labels} 12`,
    `messaging_process_duration_seconds_count${labels} 12`,
    `smg_records_settled_total{topic="${TOPIC}"} 12`
  ])
    t.ok(runner.includes(`${line}\n`), line)
  await until(async () => (await ask('gateway')).includes(`smg_lag_records{topic="${TOPIC}",partition="0"} 0\n`))
  const gateway = await ask('gateway')
  t.match(gateway, `smg_lag_seconds{topic="${TOPIC}",partition="0"} 0\n`)
  t.match(gateway, /^smg_kafka_disk_used_ratio 0\.\d+$/m)
})

t.test('control records at the end of the log are no lag for ever', async t => {
  await sendInTransactions(['commit', 'abort', 'commit', 'abort'])
  await until(async () => (await read()).lag === 0)

  t.equal(await compare(), 0)
})

t.test('paused it is what waits', async t => {
  await switchTo('pause')
  await until(async () => /"state":"paused"/.test(await (await fetch(`${processes.urlOf('runner-0')}/health`)).text()))
  await send(30, { ageMs: 2 * MINUTE_MS })

  t.equal(await compare(), 30)
  const { lagSeconds } = await read()
  t.ok(Number(lagSeconds) >= 120 && Number(lagSeconds) < 200, `${lagSeconds} s`)
})

t.test('after retention it is what Kafka’s group tool says, and as old as what is left', async t => {
  await processes.kill('runner-0', 'SIGTERM')
  await send(4, { ageMs: MINUTE_MS })
  const [partition] = (await read()).partitions
  const offset = String(BigInt(partition?.nextOffset ?? 0) + 30n)
  await withAdmin(async admin => {
    await admin.fetchTopicOffsets(kafkaTopic)
    await admin.deleteTopicRecords({ topic: kafkaTopic, partitions: [{ partition: 0, offset }] })
  })

  t.equal(await compare(), 34)
  const { lagSeconds } = await read()
  t.ok(Number(lagSeconds) >= 60 && Number(lagSeconds) < 110, `${lagSeconds} s`)

  await switchTo('resume')
  await processes.startRunner('runner-0')
  await until(async () => (await read()).lag === 0)
  t.equal(await compare(), 0)
})

t.test('an aborted transaction at the end is nothing that waits', async t => {
  await processes.kill('runner-0', 'SIGTERM')
  await sendInTransactions(['abort'])

  t.equal(await compare(), 3)
  t.equal((await read()).lagSeconds, 0)
})

t.test('of a topic that was made anew it is what reading it counts', async t => {
  await withAdmin(async admin => {
    await admin.deleteTopics({ topics: [kafkaTopic] })
    await until(async () => !(await admin.listTopics()).includes(kafkaTopic))
    await admin.createTopics({ topics: [{ topic: kafkaTopic, numPartitions: 3, replicationFactor: 1 }] })
  })
  await send(9)

  await until(async () => (await read()).lag === 9)
  const { partitions } = await read()
  t.equal((await readRecords(client, TOPIC, 9)).length, 9)
  t.strictSame(
    partitions.map(({ nextOffset }) => nextOffset),
    [null, null, null]
  )
})
