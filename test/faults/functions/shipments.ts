import { defineFunction } from 'smg-kafka'
import { Event } from '../event.ts'
import { faultShipments } from '../tables.ts'

/** What `orders` publishes. */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  table: faultShipments,
  handle: ({ event: { ref, key, seq } }) => ({ ref, key, seq })
})
