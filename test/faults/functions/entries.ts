import { defineFunction } from 'smg-kafka'
import { Event } from '../event.ts'
import { faultEntries } from '../tables.ts'

/** Rows, written in batches. */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  table: faultEntries,
  handle: ({ event: { ref, key, seq } }) => ({ ref, key, seq })
})
