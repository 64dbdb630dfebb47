import { CYCLE_LIMIT, type Share } from './row-cycles.ts'

/** A write that PostgreSQL cancelled is made this much smaller. */
const SMALLER = 8

/**
 * Builds the limit of what is written at once while PostgreSQL cancels statements: less and less, down to one record.
 * One that is cancelled alone `maxAttempts` times is a dead letter. What is written lets the limit grow again, but not
 * before each partition of the cancelled cycles was written without the others: else the success of one would always
 * bring back together what is cancelled together, and the record that is to blame would never be alone.
 */
export function createCancelLimit(maxAttempts: number) {
  /** By partition and offset. */
  const cancelled = new Map<string, number>()
  /** Partitions, in the order in which they are tried. */
  const suspects = new Set<number>()
  let records = CYCLE_LIMIT.records

  function suspect(partition: number) {
    // At the end: the others are soon cleared, and this one may take its whole time again.
    suspects.delete(partition)
    suspects.add(partition)
  }

  return {
    records: () => records,
    /** What of a cycle may be written; `shares` are of all partitions that have anything to write. */
    cut(shares: readonly Share[]): readonly Share[] {
      const byPartition = new Map(shares.map(share => [share.owned.partition, share]))
      // Another member has it, or it went to another position.
      for (const partition of suspects) if (!byPartition.has(partition)) suspects.delete(partition)
      if (records > 1) return shares
      const [next] = suspects
      const share = next === undefined ? shares[0] : byPartition.get(next)
      return share ? [share] : []
    },
    onWritten(shares: readonly Share[]) {
      for (const { owned } of shares) suspects.delete(owned.partition)
      if (suspects.size > 0) return
      records = Math.min(CYCLE_LIMIT.records, records * 2)
      if (records === CYCLE_LIMIT.records) cancelled.clear()
    },
    onCancelled(shares: readonly Share[], error: unknown) {
      const isAlone = records === 1
      records = Math.max(1, Math.ceil(records / SMALLER))
      for (const { owned } of shares) suspect(owned.partition)
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
