import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { defineFunction } from 'smg-kafka'
import { applyEffect } from '../apply-effect.ts'
import { Event } from '../event.ts'

const TIMEOUT_MS = 600

/** SQL of its own, with an attempt now and then that fails, or that goes on writing when its time is over. */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  timeoutMs: TIMEOUT_MS,
  maxAttempts: 2,
  backoffMs: { min: 10, max: 100 },
  handle: async (input, { tx, attempt }) => {
    const { ref, kind } = input.event
    await applyEffect(tx, 'ledger', input)
    if (kind === 'throw-once' && attempt === 1) throw new Error('not yet')
    if (kind === 'throw') throw new Error('never')
    if (kind === 'sleep-in-sql') await tx.execute(sql`SELECT pg_sleep(1.5)`)
    if (kind === 'write-late') {
      await sleep(TIMEOUT_MS + 200)
      await tx.execute(sql`INSERT INTO fault_late (ref) VALUES (${ref})`)
    }
  }
})
