import { defineFunction, Type } from 'smg-kafka'
import { Event } from '../event.ts'
import { faultEntries } from '../tables.ts'

/** The next version of `entries`: it takes one property more, and writes the same rows. */
export default defineFunction({
  event: Type.Object({ ...Event.properties, version: Type.Optional(Type.Integer()) }),
  retentionHours: 24,
  key: event => event.key,
  table: faultEntries,
  handle: ({ event: { ref, key, seq } }) => ({ ref, key, seq })
})
