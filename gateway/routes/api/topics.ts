import { Type } from '@sinclair/typebox'
import { gatewayErrors } from '../../errors.ts'
import { problems } from '../../schemas/problem.ts'
import { Topic } from '../../schemas/topics.ts'
import { TopicName } from '../../schemas/values.ts'
import type { TopicReading } from '../../topic-reader.ts'
import type { App } from '../../types.ts'

/** `/api/topics` and `/api/topics/{topic}` */
export default async function topicRoutes(app: App) {
  app.addSchema(Topic)
  const common = { tags: ['operations'] }
  const config = { scope: 'read' } as const

  app.get(
    '/api/topics',
    {
      config,
      schema: {
        ...common,
        operationId: 'listTopics',
        summary: 'Topics of the functions',
        description: 'Gives every function’s topic with its partitions, positions and lag, as they are now.',
        response: {
          200: Type.Object({ items: Type.Array(Type.Ref('Topic')) }, { description: 'All.' }),
          ...problems(503)
        }
      }
    },
    async (_request, reply) => {
      const readings = await app.readTopics()
      return reply.send({ items: readings.map(toTopic) })
    }
  )

  app.get(
    '/api/topics/:topic',
    {
      config,
      schema: {
        ...common,
        operationId: 'getTopic',
        summary: 'Topic of a function',
        description: 'Gives one function’s topic with its partitions, positions and lag, as they are now.',
        params: Type.Object({ topic: TopicName('of a function') }),
        response: {
          200: { description: 'The topic.', content: { 'application/json': { schema: Type.Ref('Topic') } } },
          ...problems(404, 414, 503)
        }
      }
    },
    async (request, reply) => {
      const { topic } = request.params
      if (!app.functions.has(topic)) throw new gatewayErrors.SMG_GATEWAY_NO_TOPIC(topic)
      const reading = (await app.readTopics()).find(one => one.topic === topic)
      if (!reading) throw new gatewayErrors.SMG_GATEWAY_NO_TOPIC(topic)
      return reply.send(toTopic(reading))
    }
  )
}

function toTopic(reading: TopicReading) {
  const { topic, group, lag, lagSeconds, messageCount, deadLetterCount, lastMessageAt, state, members } = reading
  const partitions = reading.partitions.map(partition => ({
    partition: partition.partition,
    logStartOffset: String(partition.logStartOffset),
    logEndOffset: String(partition.logEndOffset),
    currentOffset: partition.currentOffset === null ? null : String(partition.currentOffset),
    nextOffset: partition.nextOffset === null ? null : String(partition.nextOffset),
    lag: partition.lag,
    leader: partition.leader,
    replicas: partition.replicas,
    inSyncReplicas: partition.inSyncReplicas
  }))
  return { topic, group, partitions, lag, lagSeconds, messageCount, deadLetterCount, lastMessageAt, state, members }
}
