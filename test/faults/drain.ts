import { setTimeout as sleep } from 'node:timers/promises'
import { readBounds } from './final-state.ts'
import type { System } from './system.ts'

export const DRAIN_TIMEOUT_MS = 60_000
/** Of a drain that moves: so many timeouts. */
export const MOST_DRAINS = 4
const DRAIN_POLL_MS = 200
/** Lag must be gone so often in a row. */
const DRAIN_STABLE = 3

/** Waits until every position is at the end of its log, and nothing waits in the outbox or for its redrive. */
export async function drain(system: System, timeoutMs: number): Promise<boolean> {
  const { cluster, topicPrefix, database } = system
  let stable = 0
  let last = ''
  let slowest = ''
  let settled = ''
  let progressMs = Date.now()
  // A slow machine has its time, as long as something moves.
  const endMs = progressMs + MOST_DRAINS * timeoutMs
  for (; Date.now() < Math.min(endMs, progressMs + timeoutMs); await sleep(DRAIN_POLL_MS)) {
    try {
      const bounds = await readBounds(cluster, topicPrefix)
      const rows =
        await database.sql`SELECT topic, partition, next_offset::text AS next FROM topic_status ORDER BY topic, partition`
      const [waiting] = await database.sql`
        SELECT (SELECT count(*) FROM outbox)::int + (SELECT count(*) FROM dead_letters WHERE state = 'redriving')::int AS count`
      const positions = new Map(rows.map(({ topic, partition, next }) => [`${topic}/${partition}`, BigInt(next)]))
      const behind = bounds.filter(
        ({ topic, partition, low, high }) => (positions.get(`${topic}/${partition}`) ?? low) !== high
      )
      const now = bounds.map(({ high }) => high).join()
      const reached = [...positions.values()].join()
      if (reached !== settled) progressMs = Date.now()
      settled = reached
      stable = behind.length === 0 && waiting?.count === 0 && now === last ? stable + 1 : 0
      last = now
      if (behind.length > 0) slowest = behind.map(({ topic, partition }) => `${topic}/${partition}`).join(', ')
      if (stable === DRAIN_STABLE) {
        system.note(`the last to be behind: ${slowest || 'none'}`)
        return true
      }
    } catch {
      stable = 0
    }
  }
  return false
}

/** The naive consumer has no positions of its own: it is done when nothing new comes. */
export async function drainNaive({ database }: System): Promise<boolean> {
  let last = -1
  let stable = 0
  for (const deadlineMs = Date.now() + DRAIN_TIMEOUT_MS; Date.now() < deadlineMs; await sleep(500)) {
    const [row] = await database.sql`SELECT count(*)::int AS count FROM naive_effects`
    stable = row?.count === last ? stable + 1 : 0
    last = row?.count ?? -1
    if (stable === 24) return true
  }
  return false
}
