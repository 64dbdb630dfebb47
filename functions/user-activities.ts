import { defineFunction, Type } from 'smg-kafka'
import { userActivities } from '../db/tables/user-activities.ts'

/** What users did. */
export default defineFunction({
  event: Type.Object({
    userId: Type.String({ minLength: 1, maxLength: 128, examples: ['user-001'] }),
    action: Type.String({ minLength: 1, maxLength: 64, examples: ['login'] }),
    timestamp: Type.Optional(Type.String({ format: 'date-time' })),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown()))
  }),
  key: event => event.userId,
  table: userActivities,
  handle: ({ event, timestamp }) => ({
    userId: event.userId,
    action: event.action,
    metadata: event.metadata ?? {},
    occurredAt: event.timestamp ?? timestamp
  })
})
