import { setTimeout as sleep } from 'node:timers/promises'
import { machineMs } from '../machine-clock.ts'
import type { Chain } from './start-chain.ts'

/** What was seen of one partition: its position, and when the answer that told it came. Both only grow. */
interface Sightings {
  readonly atMs: number[]
  readonly next: number[]
}

/** The positions of a group while they are watched. */
export interface PositionWatch {
  /** When an event was first seen to be visible, by `machineMs`; null when it was not yet. */
  findVisibleMs(partition: number, offset: number): number | null
  /** CPU microseconds of its backend cannot be told from those of PostgreSQL otherwise. */
  readonly backendPid: number
  stop(): Promise<void>
}

/** From one look to the next: so much later than the commit a row may count as visible, and the look itself later. */
export const WATCH_MS = 5

/**
 * Looks every 5 ms at the positions of the chain. They move in the transaction that writes the rows: an event is visible
 * when the position of its partition lies behind it. A look that fails sees nothing: PostgreSQL may be away.
 */
export async function watchPositions({ sql, groupId }: Chain): Promise<PositionWatch> {
  const partitions = new Map<number, Sightings>()
  const [backend] = await sql`SELECT pg_backend_pid() AS pid`
  let isStopped = false
  const watching = watch()

  return {
    backendPid: Number(backend?.pid),
    findVisibleMs(partition, offset) {
      const { atMs, next } = partitions.get(partition) ?? { atMs: [], next: [] }
      return atMs[findFirstBehind(next, offset)] ?? null
    },
    async stop() {
      isStopped = true
      await watching
    }
  }

  async function watch(): Promise<void> {
    while (!isStopped) {
      const askedMs = machineMs()
      const rows = await sql`
        SELECT partition, next_offset FROM topic_status WHERE group_id = ${groupId} AND topic = 'user-activities'`.catch(
        () => []
      )
      const atMs = machineMs()
      for (const row of rows) note(row.partition, Number(row.next_offset), atMs)
      await sleep(Math.max(1, askedMs + WATCH_MS - atMs))
    }
  }

  function note(partition: number, next: number, atMs: number) {
    const seen = partitions.get(partition) ?? { atMs: [], next: [] }
    partitions.set(partition, seen)
    if (next <= (seen.next.at(-1) ?? -1)) return
    seen.atMs.push(atMs)
    seen.next.push(next)
  }
}

/** The index of the first number above `offset`, in a list that grows; its length when there is none. */
function findFirstBehind(next: readonly number[], offset: number): number {
  let [low, high] = [0, next.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((next[middle] as number) > offset) high = middle
    else low = middle + 1
  }
  return low
}
