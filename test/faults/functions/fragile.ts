import { setTimeout as sleep } from 'node:timers/promises'
import { defineFunction } from 'smg-kafka'
import { applyEffect } from '../apply-effect.ts'
import { throwWhileBroken } from '../broken.ts'
import { Event } from '../event.ts'

/** SQL of its own, broken for every event while the switch is on. */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  backoffMs: { min: 10, max: 100 },
  handle: async (input, { tx }) => {
    throwWhileBroken()
    // So that there is a middle in which to kill it.
    if (input.event.kind === 'slow') await sleep(5)
    await applyEffect(tx, 'fragile', input)
  }
})
