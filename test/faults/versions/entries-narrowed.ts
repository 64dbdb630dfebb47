import { defineFunction, Type } from 'smg-kafka'
import { Event } from '../event.ts'
import { faultEntries } from '../tables.ts'

/** A bad version of `entries`: it refuses a `kind` that gateways accept. */
export default defineFunction({
  event: Type.Object({ ...Event.properties, kind: Type.Optional(Type.Literal('small')) }),
  retentionHours: 24,
  key: event => event.key,
  table: faultEntries,
  handle: ({ event: { ref, key, seq } }) => ({ ref, key, seq })
})
