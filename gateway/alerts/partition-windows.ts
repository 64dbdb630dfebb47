import { judgeWindow, type WindowSample, type WindowStatus } from './judge-window.ts'

/** A partition as it is seen at one time. */
export interface PartitionSight {
  /** Of the partition. */
  readonly key: string
  /** The position, or else where the log begins. */
  readonly offset: bigint
  readonly logEnd: bigint
  readonly lag: number
  /** A runner owns it: then its position is what it says now, moved or not. */
  readonly isOwned: boolean
  /** An operator holds its function up, or it is stopped: nobody expects it to move. */
  readonly isHeld: boolean
  /** So long its position may stand. */
  readonly windowMs: number
}

interface Window {
  firstMs: number
  samples: WindowSample[]
  ends: { readonly end: bigint; readonly atMs: number }[]
}

/** In a window, at most. */
const SAMPLES = 40

/**
 * Remembers what partitions did over their windows. A sample is what an owner says of its position: while nobody owns
 * a partition there are none, and that is how it is told from one whose owner stands still.
 */
export function createPartitionWindows() {
  const windows = new Map<string, Window>()

  return {
    /**
     * Adds what is seen now to the windows, and judges them; a partition that is not seen is forgotten.
     *
     * @param nowMs of a clock that nobody sets
     * @returns by key; a window that is not full yet is `ok`
     */
    judge(sights: readonly PartitionSight[], nowMs: number): Map<string, WindowStatus> {
      const keys = new Set(sights.map(({ key }) => key))
      for (const key of windows.keys()) if (!keys.has(key)) windows.delete(key)
      return new Map(sights.map(sight => [sight.key, judgeOne(sight, nowMs)]))
    }
  }

  function judgeOne(sight: PartitionSight, nowMs: number): WindowStatus {
    const { key, offset, lag, logEnd, windowMs } = sight
    const known = windows.get(key)
    const last = known?.samples.at(-1)
    // A log that ends before the position is another one, under the same name.
    if (sight.isHeld || (last && logEnd < last.offset)) windows.delete(key)
    if (sight.isHeld) return 'ok'

    const window = windows.get(key) ?? { firstMs: nowMs, samples: [], ends: [] }
    windows.set(key, window)
    const newest = window.samples.at(-1)
    const isDue = !newest || nowMs - newest.atMs >= windowMs / SAMPLES
    // Without an owner, a position that moved was still told by one.
    if (isDue && (!newest || sight.isOwned || newest.offset !== offset)) {
      window.samples = [...window.samples.filter(({ atMs }) => atMs >= nowMs - windowMs), { offset, lag, atMs: nowMs }]
    }
    window.ends = [...window.ends, { end: logEnd, atMs: nowMs }].filter(({ atMs }) => atMs >= nowMs - windowMs)
    if (nowMs - window.firstMs < windowMs) return 'ok'

    const recentEnds = window.ends.map(({ end }) => end)
    return judgeWindow(window.samples, { lag, recentEnds, nowMs })
  }
}
