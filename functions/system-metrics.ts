import { defineFunction, Type } from 'smg-kafka'
import { systemMetrics } from '../db/tables/system-metrics.ts'

/** What machines and programs measured. */
export default defineFunction({
  event: Type.Object({
    source: Type.String({ minLength: 1, maxLength: 128, examples: ['web-1'] }),
    name: Type.String({ minLength: 1, maxLength: 128, examples: ['cpu.usage'] }),
    value: Type.Number({ examples: [0.42] }),
    unit: Type.Optional(Type.String({ minLength: 1, maxLength: 32, examples: ['ratio'] })),
    labels: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    timestamp: Type.Optional(Type.String({ format: 'date-time' }))
  }),
  key: event => event.source,
  table: systemMetrics,
  handle: ({ event, timestamp }) => ({
    source: event.source,
    name: event.name,
    value: event.value,
    unit: event.unit,
    labels: event.labels ?? {},
    occurredAt: event.timestamp ?? timestamp
  })
})
