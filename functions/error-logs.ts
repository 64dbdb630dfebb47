import { defineFunction, Type } from 'smg-kafka'
import { errorLogs } from '../db/tables/error-logs.ts'

/** What went wrong in a service. */
export default defineFunction({
  event: Type.Object({
    service: Type.String({ minLength: 1, maxLength: 128, examples: ['checkout'] }),
    level: Type.Union([Type.Literal('warn'), Type.Literal('error'), Type.Literal('fatal')], { examples: ['error'] }),
    message: Type.String({ minLength: 1, maxLength: 8192, examples: ['card declined'] }),
    stack: Type.Optional(Type.String({ maxLength: 65536 })),
    context: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    timestamp: Type.Optional(Type.String({ format: 'date-time' }))
  }),
  key: event => event.service,
  table: errorLogs,
  handle: ({ event, timestamp }) => ({
    service: event.service,
    level: event.level,
    message: event.message,
    stack: event.stack,
    context: event.context ?? {},
    occurredAt: event.timestamp ?? timestamp
  })
})
