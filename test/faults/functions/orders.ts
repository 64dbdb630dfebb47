import { defineFunction } from 'smg-kafka'
import { applyEffect } from '../apply-effect.ts'
import { Event } from '../event.ts'

/** SQL of its own, and an event for another function in the same transaction. */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  backoffMs: { min: 10, max: 100 },
  handle: async (input, { tx, publish }) => {
    const { ref, key, seq } = input.event
    publish('shipments', { ref, key, seq })
    await applyEffect(tx, 'orders', input)
  }
})
