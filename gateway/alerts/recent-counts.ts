import type { SlotCounts } from '../../db/queries/alert-turns.ts'

const SLOT_MS = 10_000
const SLOTS = 31

interface Slot {
  number: number
  requests: number
  errors: number
  failures: number
}

/**
 * Counts what this gateway met over the last 5 minutes, in slots of 10 seconds.
 *
 * @param now in milliseconds, of a clock that nobody sets
 */
export function createRecentCounts(now: () => number) {
  const ring: Slot[] = Array.from({ length: SLOTS }, () => ({ number: -1, requests: 0, errors: 0, failures: 0 }))

  return {
    /** A request to `/api` was answered. */
    countAnswer(statusCode: number): void {
      const slot = slotOf(now())
      slot.requests += 1
      if (statusCode >= 500) slot.errors += 1
    },

    /** A query found no database, or had no answer in time. */
    countDatabaseFailure(): void {
      slotOf(now()).failures += 1
    },

    /** Slots in which something was counted. */
    read(): SlotCounts[] {
      const nowMs = now()
      return ring
        .filter(slot => slot.number > Math.floor(nowMs / SLOT_MS) - SLOTS && slot.requests + slot.failures > 0)
        .map(slot => [Math.round(nowMs - slot.number * SLOT_MS), slot.requests, slot.errors, slot.failures])
    }
  }

  function slotOf(nowMs: number): Slot {
    const number = Math.floor(nowMs / SLOT_MS)
    const slot = ring[number % SLOTS] as Slot
    return slot.number === number ? slot : Object.assign(slot, { number, requests: 0, errors: 0, failures: 0 })
  }
}

export type RecentCounts = ReturnType<typeof createRecentCounts>
