import { defineFunction, Type } from 'smg-kafka'
import { notifications } from '../db/tables/notifications.ts'

/** Notices to people. */
export default defineFunction({
  event: Type.Object({
    recipient: Type.String({ minLength: 1, maxLength: 256, examples: ['ops@example.com'] }),
    channel: Type.Union([Type.Literal('email'), Type.Literal('sms'), Type.Literal('push'), Type.Literal('webhook')], {
      examples: ['email']
    }),
    title: Type.Optional(Type.String({ maxLength: 256 })),
    message: Type.String({ minLength: 1, maxLength: 8192, examples: ['disk is 91 % full'] }),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    timestamp: Type.Optional(Type.String({ format: 'date-time' }))
  }),
  key: event => event.recipient,
  table: notifications,
  handle: ({ event, timestamp }) => ({
    recipient: event.recipient,
    channel: event.channel,
    title: event.title,
    message: event.message,
    metadata: event.metadata ?? {},
    occurredAt: event.timestamp ?? timestamp
  })
})
