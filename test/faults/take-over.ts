import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readBounds } from './final-state.ts'
import { retry } from './postgres.ts'
import { type Member, SESSION_TIMEOUT_MS, type System } from './system.ts'

const POLL_MS = 100
const TIMEOUT_MS = SESSION_TIMEOUT_MS + 14_000
/** The reliability contract: killed runner's keys go on after its session and so much. */
const GRACE_MS = 2_000

/** Gives the partitions that a runner has, as `topic/partition`, by what its log says of its last start. */
export function readAssigned({ folder }: System, { name, process }: Member): readonly string[] {
  const assigned = new Map<string, readonly number[]>()
  for (const line of readFileSync(join(folder, 'logs', `${name}.log`), 'utf8').split('\n')) {
    if (!line.endsWith('"partitions assigned"}')) continue
    const { pid, topic, partitions } = JSON.parse(line) as { pid: number; topic: string; partitions: number[] }
    if (pid === process.pid()) assigned.set(topic, partitions)
  }
  return [...assigned].flatMap(([topic, partitions]) => partitions.map(partition => `${topic}/${partition}`))
}

/** Measures for how long partitions stand still that had a runner until now, and have something to do. */
export async function measureTakeOver(
  system: System,
  { places, signal }: { places: readonly string[]; signal: AbortSignal }
): Promise<void> {
  const startedMs = Date.now()
  const before = await retry(() => readPositions(system))
  const still = new Set(places)
  const stoodMs = new Map<string, number>()
  while (still.size > 0 && Date.now() - startedMs < TIMEOUT_MS && !signal.aborted) {
    await sleep(POLL_MS)
    const isLate = Date.now() - startedMs > SESSION_TIMEOUT_MS + 2 * GRACE_MS
    if (isLate && ![...still].some(place => stoodMs.has(place))) break
    // Read before the positions are: what is above them is work.
    const ends = await retry(() => readBounds(system.cluster, system.topicPrefix))
    const now = await retry(() => readPositions(system))
    for (const { topic, partition, high } of ends) {
      const place = `${topic}/${partition}`
      if (!still.has(place)) continue
      const hasWork = high > (now.get(place) ?? 0n)
      const hasMoved = now.get(place) !== before.get(place)
      if (hasWork || hasMoved) stoodMs.set(place, Date.now() - startedMs)
      if (hasMoved) still.delete(place)
    }
  }
  const [slowest, longestMs] = [...stoodMs].reduce((a, b) => (b[1] > a[1] ? b : a), ['none', 0] as const)
  const moved = [...stoodMs.keys()].filter(place => !still.has(place)).length
  system.measure(
    `of ${places.length} partitions ${stoodMs.size} had work and ${moved} went on, the last (${slowest}) after ${(longestMs / 1000).toFixed(1)} s`
  )
  if (moved < stoodMs.size) system.blame('I7', `${slowest} stands still ${TIMEOUT_MS} ms after its runner was killed`)
  if (system.isFull && longestMs > SESSION_TIMEOUT_MS + GRACE_MS) {
    system.blame('I7', `${slowest} stood still for ${longestMs} ms after its runner was killed`)
  }
}

async function readPositions({ database }: System): Promise<ReadonlyMap<string, bigint>> {
  const rows = await database.sql`SELECT topic, partition, next_offset::text AS next FROM topic_status`
  return new Map(rows.map(({ topic, partition, next }) => [`${topic}/${partition}`, BigInt(next)]))
}
