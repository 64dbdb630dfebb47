// What many write first: a route with a schema, and a send of KafkaJS for each request. Nothing is logged.
import Fastify from 'fastify'
import { Kafka, logLevel } from 'kafkajs'
import userActivities from '../../functions/user-activities.ts'

const topic = process.env.BENCH_TOPIC ?? ''
const brokers = (process.env.KAFKA_BROKERS ?? '').split(',')
const kafka = new Kafka({ clientId: 'contender', brokers, logLevel: logLevel.WARN })
const producer = kafka.producer({ allowAutoTopicCreation: false })
await producer.connect()

const app = Fastify({ logger: false })
app.get('/health/ready', async () => ({ status: 'ok' }))
app.post<{ Body: { readonly userId: string } }>(
  '/api/produce/user-activities',
  { schema: { body: userActivities.event } },
  async ({ body }, reply) => {
    const message = { key: body.userId, value: JSON.stringify(body) }
    const [record] = await producer.send({ topic, acks: -1, messages: [message] })
    return reply.code(202).send({ topic, partition: record?.partition, offset: record?.baseOffset })
  }
)
process.once('SIGTERM', async () => {
  await app.close()
  await producer.disconnect()
  process.exit(0)
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
