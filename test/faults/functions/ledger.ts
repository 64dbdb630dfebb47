import { defineFunction } from 'smg-kafka'
import { applyEffect } from '../apply-effect.ts'
import { Event } from '../event.ts'
import { isFirstCall } from '../first-call.ts'

/** SQL of its own, with an attempt now and then that fails after it. */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  maxAttempts: 2,
  backoffMs: { min: 10, max: 100 },
  handle: async (input, { tx }) => {
    const { kind, ref } = input.event
    await applyEffect(tx, 'ledger', input)
    if (kind === 'throw-once' && isFirstCall(ref)) throw new Error('not yet')
    if (kind === 'throw') throw new Error('never')
  }
})
