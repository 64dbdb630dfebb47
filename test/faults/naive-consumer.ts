// What many write first: eachMessage, an INSERT, the offsets committed by the client. It runs in place of our runner under
// the same faults, so that the checker can be seen failing.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { Kafka, logLevel } from 'kafkajs'
import postgres from 'postgres'
import { endStoppedFetches } from '../../kafka/patches.ts'

const TOPICS = ['entries', 'ledger', 'orders', 'poison'] as const
const { KAFKA_BROKERS = '', DATABASE_URL = '', TOPIC_PREFIX = '', RUNNER_PORT = '0' } = process.env
const SESSION_TIMEOUT_MS = Number(process.env.CONSUMER_SESSION_TIMEOUT_MS ?? 30_000)

const sql = postgres(DATABASE_URL, { max: 4, onnotice: () => undefined })
const kafka = new Kafka({ clientId: 'naive', brokers: KAFKA_BROKERS.split(','), logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({ groupId: `${TOPIC_PREFIX}naive`, sessionTimeout: SESSION_TIMEOUT_MS })
let isReady = false

// How it handles records is its own; without this it may not even hear SIGTERM.
endStoppedFetches(createRequire(import.meta.url))

createServer((_request, response) => {
  response.statusCode = isReady ? 200 : 503
  response.end()
}).listen(Number(RUNNER_PORT), '127.0.0.1')

process.once('SIGTERM', async () => {
  await consumer.disconnect()
  await sql.end({ timeout: 1 })
  process.exit(0)
})

await untilThere()
await consumer.subscribe({ topics: TOPICS.map(topic => TOPIC_PREFIX + topic), fromBeginning: true })
consumer.on(consumer.events.GROUP_JOIN, () => {
  isReady = true
})
await consumer.run({
  eachMessage: async ({ topic, message }) => {
    const event = parse(message.value)
    if (!event) return
    const { ref, key, seq } = event
    await sql`
      INSERT INTO naive_effects (topic, ref, key, seq) VALUES (${topic.slice(TOPIC_PREFIX.length)}, ${ref}, ${key}, ${seq})`
  }
})

/** The gateways make the topics. */
async function untilThere(): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const isThere = (names: string[]) => TOPICS.every(topic => names.includes(TOPIC_PREFIX + topic))
  while (!isThere(await admin.listTopics())) await new Promise(resolve => setTimeout(resolve, 100))
  await admin.disconnect()
  await consumer.connect()
}

function parse(value: Buffer | null): { ref: string; key: string; seq: number } | null {
  try {
    const event = JSON.parse(String(value))
    return typeof event?.ref === 'string' ? event : null
  } catch {
    return null
  }
}
