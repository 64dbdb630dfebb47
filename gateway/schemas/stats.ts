import { Type } from '@sinclair/typebox'
import { Count, Nullable, Time } from './values.ts'

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

const Known = (description: string) =>
  Nullable(Type.Number({ minimum: 0 }), `${description}; null while it was not known`)

/** Numbers of the last minutes, step by step. */
export const StatsHistory = Type.Object(
  {
    stepSeconds: Type.Number({ minimum: 0, description: 'from one item to the next, about', examples: [3] }),
    items: Type.Array(
      Type.Object({
        at: Time('when it was measured'),
        messageRate: Known('records a second written to the functions’ topics'),
        settledRate: Known('records a second that were settled'),
        deadLetterRate: Known('dead letters a second'),
        lag: Known('records that are not settled yet'),
        lagSeconds: Known('age of the oldest of them'),
        requestRate: Rate('requests a second'),
        errorRate: Ratio('of answers that were 5xx'),
        responseTime: Nullable(Type.Number({ minimum: 0 }), 'mean, in ms; null without a request'),
        responseTimeP99: Nullable(Type.Number({ minimum: 0 }), 'in ms; null without a request'),
        queryLatency: Nullable(Type.Number({ minimum: 0 }), 'mean of the gateway’s queries, in ms; null without one')
      }),
      { description: 'Of 20 minutes at most, the oldest first.' }
    )
  },
  { description: 'What the gateway saw in the last minutes.' }
)
