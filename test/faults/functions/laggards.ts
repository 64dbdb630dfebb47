import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { defineFunction } from 'smg-kafka'
import { applyEffect } from '../apply-effect.ts'
import { Event } from '../event.ts'

const TIMEOUT_MS = 500

/**
 * Attempts that go on writing when their time is over, or wait for PostgreSQL until then. On a slow machine a good one
 * may be late as well: of this topic nobody expects more than one outcome an event.
 */
export default defineFunction({
  event: Event,
  retentionHours: 24,
  key: event => event.key,
  timeoutMs: TIMEOUT_MS,
  maxAttempts: 2,
  backoffMs: { min: 10, max: 100 },
  handle: async (input, { tx }) => {
    const { ref, kind } = input.event
    await applyEffect(tx, 'laggards', input)
    if (kind === 'sleep-in-sql') await tx.execute(sql`SELECT pg_sleep(${(2 * TIMEOUT_MS) / 1000})`)
    if (kind === 'write-late') {
      await sleep(TIMEOUT_MS + 200)
      await tx.execute(sql`INSERT INTO fault_late (ref) VALUES (${ref})`)
    }
  }
})
