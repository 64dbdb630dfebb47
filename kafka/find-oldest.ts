import { findErrorType } from './failure.ts'
import { fetchPart } from './fetch-part.ts'
import type { Link } from './link.ts'
import type { OldestRecord } from './types.ts'

/** Small: the first batch comes whole in any case, and the record is in it unless the log has a hole there. */
const LOOK = { maxBytes: 64 * 1024, maxWaitMs: 0 }
/** Fetches for one place at most: what is still not found then lies behind a very long row of markers. */
const MAX_FETCHES = 20

interface Place {
  readonly leader: number
  /** By its name in Kafka. */
  readonly name: string
  readonly partition: number
  readonly offset: bigint
}

/**
 * Finds the first record at or above an offset that a reader has to handle: control records and those of aborted
 * transactions are none, one of a transaction that is still open is.
 *
 * @returns null when there is none up to the end of the log; undefined when the log begins above the offset, or the
 * search was given up
 */
export async function findOldest(
  link: Pick<Link, 'node'>,
  { leader, ...start }: Place
): Promise<OldestRecord | null | undefined> {
  let place = start
  let withUndecided = false
  try {
    for (let fetches = 0; fetches < MAX_FETCHES; fetches += 1) {
      const options = { ...LOOK, withUndecided }
      const { records, nextOffset, highWatermark } = await link.node(leader, broker =>
        fetchPart(broker, place, options)
      )
      const [first] = records
      if (first) return { offset: BigInt(first.offset), timestampMs: first.timestampMs }

      if (nextOffset > place.offset) place = { ...place, offset: nextOffset }
      else if (nextOffset >= highWatermark || withUndecided) return null
      // What is here is not decided, or compaction has left nothing of it.
      else withUndecided = true
    }
    return undefined
  } catch (error) {
    if (findErrorType(error) === 'OFFSET_OUT_OF_RANGE') return undefined
    throw error
  }
}
