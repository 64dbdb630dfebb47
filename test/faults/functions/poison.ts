import { defineFunction, NonRetriableError } from 'smg-kafka'
import { Event } from '../event.ts'
import { isFirstCall } from '../first-call.ts'
import { faultPoison } from '../tables.ts'

/** Rows, of which some are refused: by the function, by the clock, by PostgreSQL. */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  table: faultPoison,
  timeoutMs: 300,
  maxAttempts: 2,
  backoffMs: { min: 10, max: 50 },
  handle: async ({ event: { ref, key, seq, kind = 'good' } }) => {
    if (kind === 'throw') throw new Error('never')
    if (kind === 'throw-once' && isFirstCall(ref)) throw new Error('not yet')
    if (kind === 'throw-odd') throw Object.freeze({ odd: true })
    if (kind === 'give-up') throw new NonRetriableError('no such customer')
    if (kind === 'hang') await new Promise(() => undefined)
    if (kind === 'exit') process.exit(1)
    return { ref, key, seq, kind }
  }
})
