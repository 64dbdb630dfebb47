import type { ClusterView, LogPlace } from '../kafka/types.ts'
import { toPlaceKey } from './samples.ts'
import { within } from './within.ts'

/** A position with more behind it. */
export interface AgePlace extends LogPlace {
  /** Of the topic; null where the broker is too old to tell. */
  readonly topicId: string | null
  readonly logEndOffset: bigint
}

interface AgesDependencies {
  readonly cluster: Pick<ClusterView, 'oldest'>
  /** What records are stamped by: epoch in milliseconds. */
  readonly now: () => number
  /** What time is measured by from then on: nobody sets it. */
  readonly steadyMs: () => number
}

/** What was learnt of a position: what is there, and how old it was then. */
interface Known {
  readonly place: AgePlace
  /** Null: there is no record up to the end that the log had then. */
  readonly age: { readonly ms: number; readonly atMs: number } | null
}

/**
 * Builds the reading of how long records wait at their positions, by their timestamps. A position is looked at once: it
 * costs one small fetch for each partition that moved.
 */
export function createRecordAges({ cluster, now, steadyMs }: AgesDependencies) {
  const known = new Map<string, Known>()

  /**
   * Gives seconds, one a place in their order: 0 where no record is, null where it is not known or not stamped. Rejects
   * never; takes `timeoutMs` at most.
   */
  return async function readAges(places: readonly AgePlace[], timeoutMs: number): Promise<(number | null)[]> {
    const fresh = places.filter(place => !isKnown(known.get(toPlaceKey(place.topic, place.partition)), place))
    // What comes too late is there for the next one who asks.
    if (fresh.length > 0) await within(learn(fresh), timeoutMs, () => new Error('late')).catch(() => undefined)
    return places.map(place => toSeconds(known.get(toPlaceKey(place.topic, place.partition)), place))
  }

  async function learn(places: readonly AgePlace[]): Promise<void> {
    const found = await cluster.oldest(places)
    places.forEach((place, index) => {
      const oldest = found[index]
      // Below 0 stands for no timestamp.
      if (oldest === undefined || (oldest && oldest.timestampMs < 0))
        known.delete(toPlaceKey(place.topic, place.partition))
      else
        known.set(toPlaceKey(place.topic, place.partition), {
          place,
          age: oldest && { ms: now() - oldest.timestampMs, atMs: steadyMs() }
        })
    })
  }

  function toSeconds(entry: Known | undefined, place: AgePlace): number | null {
    if (!entry || !isKnown(entry, place)) return null
    if (entry.age === null) return 0
    const { ms, atMs } = entry.age
    return Math.max(0, ms + steadyMs() - atMs) / 1000
  }
}

export type ReadAges = ReturnType<typeof createRecordAges>

function isKnown(entry: Known | undefined, { offset, topicId, logEndOffset }: AgePlace): boolean {
  if (!entry || entry.place.offset !== offset || entry.place.topicId !== topicId) return false
  // Where nothing was, there may be something by now.
  return entry.age !== null || entry.place.logEndOffset === logEndOffset
}
