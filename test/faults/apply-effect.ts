import { sql } from 'drizzle-orm'
import type { Transaction } from '../../sdk/types.ts'

/** What is applied: an event as `Event` describes it. */
interface Applied {
  readonly id: string
  readonly event: { readonly ref: string; readonly key: string; readonly seq: number }
}

/** Counts an event under its key and writes it down; neither is repeatable, so that applying it twice shows. */
export async function applyEffect(tx: Transaction, topic: string, { id, event }: Applied): Promise<void> {
  const { ref, key, seq } = event
  await tx.execute(sql`
    WITH counted AS (
      INSERT INTO fault_counters (topic, key, n) VALUES (${topic}, ${key}, 1)
      ON CONFLICT (topic, key) DO UPDATE SET n = fault_counters.n + 1 RETURNING n)
    INSERT INTO fault_effects (topic, event_id, ref, key, seq, counter)
    SELECT ${topic}, ${id}, ${ref}, ${key}, ${seq}, n FROM counted`)
}
