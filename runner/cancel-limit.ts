import { CYCLE_LIMIT, type Share } from './row-cycles.ts'

/** A write that PostgreSQL cancelled is made this much smaller. */
const SMALLER = 8

/**
 * Builds the limit of what is written at once while PostgreSQL cancels statements: less and less, down to one record.
 * One that is cancelled alone `maxAttempts` times is a dead letter; whatever is written lets the limit grow again.
 */
export function createCancelLimit(maxAttempts: number) {
  /** By partition and offset. */
  const cancelled = new Map<string, number>()
  let records = CYCLE_LIMIT.records

  return {
    records: () => records,
    /** What of a cycle may be written. */
    cut(shares: readonly Share[]): readonly Share[] {
      return records === 1 ? shares.slice(0, 1) : shares
    },
    onWritten() {
      records = Math.min(CYCLE_LIMIT.records, records * 2)
      if (records === CYCLE_LIMIT.records) cancelled.clear()
    },
    onCancelled(shares: readonly Share[], error: unknown) {
      const isAlone = records === 1
      records = Math.max(1, Math.ceil(records / SMALLER))
      const [share] = shares
      const offset = share?.steps[0]?.settled?.record.offset
      if (!isAlone || !share || offset === undefined) return

      const place = `${share.owned.partition}/${offset}`
      const attempts = (cancelled.get(place) ?? 0) + 1
      cancelled.set(place, attempts)
      if (attempts < maxAttempts) return
      share.ahead.refuse({ kind: 'dead', stage: 'persist', disposition: 'attempts_exhausted', attempts, error })
    }
  }
}
