import { Type } from '@sinclair/typebox'
import { Count, Nullable } from './values.ts'

const Rate = (description: string) => Type.Number({ minimum: 0, description })
const Ratio = (description: string) => Type.Number({ minimum: 0, maximum: 1, description })
const Ms = (description: string) => Type.Number({ minimum: 0, description })
const Bytes = (description: string) => Nullable(Type.Number({ minimum: 0 }), description)

/** Numbers of the system. Rates and times are those of the last 60 seconds. */
export const Stats = Type.Object(
  {
    kafka: Type.Object({
      messageRate: Rate('records a second written to the functions’ topics'),
      consumerLag: Count('records that are not settled yet'),
      diskUsage: Nullable(Ratio('of the brokers’ log directories'), 'null when the brokers do not tell'),
      diskUsageBytes: Bytes('used there'),
      partitionCount: Count('of the functions’ topics')
    }),
    database: Type.Object({
      connectionCount: Count('of clients to this database'),
      queryLatency: Ms('mean of the gateway’s queries, in ms'),
      queryLatencyP99: Ms('in ms'),
      storageUsage: Nullable(Ratio('of DATABASE_CAPACITY_BYTES, or of the file system'), 'null when neither is known'),
      storageUsageBytes: Bytes('size of the database')
    }),
    api: Type.Object({
      requestRate: Rate('requests a second'),
      responseTime: Ms('mean, in ms'),
      responseTimeP99: Ms('in ms'),
      errorRate: Ratio('of answers that were 5xx')
    }),
    totals: Type.Object({
      messages: Count('settled events'),
      userActivities: Count('rows'),
      systemMetrics: Count('rows'),
      errorLogs: Count('rows'),
      notifications: Count('rows'),
      deadLetters: Count('that were ever written')
    })
  },
  { $id: 'Stats', description: 'Numbers of Kafka, PostgreSQL and the gateway.' }
)
