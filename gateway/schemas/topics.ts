import { Type } from '@sinclair/typebox'
import { Count, Nullable, Offset, Time } from './values.ts'

const Broker = Type.Integer({ description: 'id of a broker' })

const Partition = Type.Object({
  partition: Type.Integer({ minimum: 0 }),
  logStartOffset: Offset('of the oldest record that Kafka holds'),
  logEndOffset: Offset('of the next record to be written'),
  currentOffset: Nullable(Offset('the group’s commit in Kafka, a hint'), 'null without a commit'),
  nextOffset: Nullable(Offset('the position: what is handled next'), 'null without a position in this log'),
  lag: Count('records from the position, or else from the log’s start, to its end'),
  leader: Nullable(Broker, 'null while there is none'),
  replicas: Type.Array(Broker),
  inSyncReplicas: Type.Array(Broker)
})

const Member = Type.Object({
  memberId: Type.String(),
  clientId: Type.String(),
  host: Type.String(),
  partitions: Type.Array(Type.Integer({ minimum: 0 }))
})

/** A function's topic with its group. */
export const Topic = Type.Object(
  {
    topic: Type.String({ examples: ['user-activities'] }),
    group: Type.String({ examples: ['smg.user-activities'] }),
    partitions: Type.Array(Partition, { description: 'empty when Kafka has no such topic' }),
    lag: Count('of all partitions'),
    lagSeconds: Nullable(
      Type.Number({ minimum: 0 }),
      'age of the oldest record that is not settled, by its timestamp; 0 without one, null when unknown'
    ),
    messageCount: Count('settled events'),
    deadLetterCount: Count('dead letters that were ever written'),
    lastMessageAt: Nullable(Time('of the last settled record'), 'null before the first'),
    state: Type.String({ description: 'Kafka’s word for the group; Dead when there is none', examples: ['Stable'] }),
    members: Type.Array(Member)
  },
  { $id: 'Topic', description: 'A function’s topic, with the group that reads it.' }
)
