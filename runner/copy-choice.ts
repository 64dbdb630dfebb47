import { isOfEvent } from '../db/database-fault.ts'

/** Whether a function's cycles are written by COPY, which is cheaper and refuses what an INSERT leaves out or takes. */
export interface CopyChoice {
  isOn(): boolean
  /** A cycle was written. */
  onWritten(): void
  /**
   * A cycle that may have been copied failed by a fault of its records, or of ours. Gives whether that may have been
   * COPY's doing: then the same cycle is to be written once more, and others behind it, by INSERT.
   */
  onFailed(error: unknown, fault: 'record' | 'ours'): boolean
}

// Copies of events come in company, as when a gateway sent a whole request twice.
const SHORT_REST = 16
/** Row-level security, a view, a privilege: it may pass, and is worth a try now and then. */
const LONG_REST = 1_024

/** Builds the choice of one function. */
export function createCopyChoice(): CopyChoice {
  let rest = SHORT_REST
  let left = 0
  /** Nothing was written since it was turned off. */
  let isFresh = false

  function begin(cycles: number) {
    left = cycles
    isFresh = true
    rest = Math.min(LONG_REST, cycles * 2)
    return true
  }

  return {
    isOn: () => left === 0,
    onWritten() {
      isFresh = false
      if (left > 0) left -= 1
      else rest = SHORT_REST
    },
    onFailed(error, fault) {
      if (left > 0) {
        // The same by INSERT, such as a password that nobody told: COPY was not to blame.
        if (isFresh && fault === 'ours') [left, rest] = [0, SHORT_REST]
        return false
      }
      if (fault === 'ours') return begin(LONG_REST)
      return isOfEvent(error) && begin(rest)
    }
  }
}
