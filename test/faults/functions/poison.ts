import { setTimeout as sleep } from 'node:timers/promises'
import { defineFunction, NonRetriableError } from 'smg-kafka'
import { throwWhileBroken } from '../broken.ts'
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
    if (kind === 'broken') throwWhileBroken()
    if (kind === 'exit') process.exit(1)
    if (kind === 'exhaust') exhaustMemory()
    if (kind === 'reject') await rejectOutside()
    return { ref, key, seq, kind }
  }
})

function exhaustMemory() {
  const hoard: unknown[] = []
  // Large ones: the collector has nothing to look for in them, and the end comes at once.
  for (;;) hoard.push(new Array(100_000).fill(0.5))
}

/** Fails where no attempt catches it, while this one still waits. */
async function rejectOutside() {
  setTimeout(async () => {
    throw new Error('nobody waits for this')
  }, 10)
  await sleep(200)
}
