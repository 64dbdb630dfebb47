import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { createPositionQueries, TrialNote } from '../db/queries/positions.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { createPatience, logOnce } from './patience.ts'

/** So long the owner before may take to clear its note in a rebalance. */
const CLEARS_MS = 1_000
const LOOKS_MS = 100
/** Where an owner began, and no end yet: one may be a kill that no record is to blame for. */
const TENURE = -1
/** As many records as an owner can have had in hand, any of which may have ended its process. */
const SUSPECTS = 2_000

/** What PostgreSQL is told of a partition before its records are handled, so that one that ends the process is found. */
export interface Trial {
  /** A record may only begin when the one before it is committed. */
  isAlone(): boolean
  /** Whether `begin` has to come before the record is handled. */
  isDue(offset: string): boolean
  /**
   * Notes that a record is about to be handled; waits until PostgreSQL has it.
   *
   * @returns how often a process ended while it handled the record; noted anew only while that is below the limit
   */
  begin(partition: Pick<AssignedPartition, 'position' | 'highWatermark' | 'revoked'>, offset: string): Promise<number>
  /** The position was moved to `next`: PostgreSQL cleared the note with it. */
  onCommitted(next: bigint): void
  /** Takes the own note back: what it was about did not end the process. */
  release(): Promise<void>
}

export interface TrialDependencies {
  readonly groupId: string
  readonly topic: string
  readonly positions: Pick<ReturnType<typeof createPositionQueries>, 'readNote' | 'swapNote'>
  /** After so many ends of a process a record is not tried again. */
  readonly maxAttempts: number
  readonly log: Logger
}

/**
 * Builds the making of trials for the partitions of a function. An owner notes where it begins; its first commit clears
 * the note, and so does its clean end. Who finds a note that stays is the next one after an unclean end. After the first
 * it goes on as ever, for most ends are kills and slow nothing down; after a second at the same position it handles the
 * records one at a time, each with a note of its own, until all that may have been in hand then are settled.
 */
export function createTrials({ groupId, topic, positions, maxAttempts, log }: TrialDependencies) {
  /** Notes that this process left behind, because PostgreSQL was away: nothing ended by them. */
  const left = new Map<number, TrialNote>()

  return function createTrial(partition: number): Trial {
    const place = { groupId, topic, partition }
    /** What PostgreSQL holds, as far as is known here. */
    let noted: TrialNote | null = null
    /** What `noted` replaced, once it is of this owner. */
    let before: TrialNote | null = null
    let isMine = false
    let isOpen = false
    /** Offset behind the last record that is handled alone; null while none is. */
    let aloneUntil: bigint | null = null
    let begun = 0
    let position = 0n
    let pending: Promise<unknown> = Promise.resolve()

    async function swap(to: TrialNote): Promise<void> {
      // Not swapped: someone else owns the partition, and nothing that is handled here can be committed.
      if (!(await positions.swapNote(place, { position, from: noted, to }))) return
      before = noted
      noted = to
      isMine = true
    }

    async function open(highWatermark: bigint): Promise<void> {
      await swap({ offset: position, count: TENURE })
      if (!isMine) noted = await readStaying()
      if (isMine || !noted) {
        if (!isMine) await swap({ offset: position, count: TENURE })
      } else if (noted.count === TENURE) await swap({ offset: position, count: 0 })
      else {
        aloneUntil = highWatermark
        const where = { partition, offset: String(noted.offset), ends: noted.count }
        log.warn(where, 'a process ended before it settled what it had in hand: records are handled one at a time')
      }
      isOpen = true
    }

    async function readStaying(): Promise<TrialNote | null> {
      const own = left.get(partition)
      for (let waitedMs = 0; ; waitedMs += LOOKS_MS) {
        const found = await positions.readNote(place)
        if (!found) return null
        if (own && isSame(found, own)) {
          noted = found
          await swap({ offset: position, count: own?.count ?? TENURE })
          return noted
        }
        if (waitedMs >= CLEARS_MS) return found
        await sleep(LOOKS_MS)
      }
    }

    async function note(offset: bigint, highWatermark: bigint): Promise<number> {
      if (!isOpen) await open(highWatermark)
      if (aloneUntil === null) return 0
      const ends = noted?.offset === offset ? noted.count : 0
      if (ends < maxAttempts && !(isMine && noted?.offset === offset)) await swap({ offset, count: ends + 1 })
      begun += 1
      return ends
    }

    return {
      isAlone: () => aloneUntil !== null,
      isDue: offset => !isOpen || (aloneUntil !== null && !(isMine && noted?.offset === BigInt(offset))),
      async begin({ position: { nextOffset }, highWatermark, revoked }, offset) {
        const patience = createPatience()
        position = nextOffset
        while (!revoked.aborted) {
          try {
            const noting = note(BigInt(offset), highWatermark)
            pending = noting.catch(() => undefined)
            return await noting
          } catch (error) {
            logOnce(log, patience, error, 'what is about to be handled cannot be noted yet')
            await patience.wait(revoked)
          }
        }
        return 0
      },
      onCommitted(next) {
        noted = null
        isMine = false
        position = next
        if (aloneUntil !== null && (next >= aloneUntil || begun >= SUSPECTS)) aloneUntil = null
      },
      async release() {
        await pending
        if (!noted || !isMine) return
        left.set(partition, noted)
        const { offset, count } = noted
        const to = aloneUntil === null ? before : { offset, count: count - 1 }
        try {
          await positions.swapNote(place, { position, from: noted, to })
          left.delete(partition)
        } catch (error) {
          log.debug({ err: error, partition }, 'the note could not be taken back')
        }
      }
    }
  }
}

/** Where nothing is noted: a function without a `handle` has nothing that could end the process. */
export const NO_TRIAL: Trial = {
  isAlone: () => false,
  isDue: () => false,
  begin: async () => 0,
  onCommitted: () => undefined,
  release: async () => undefined
}

function isSame(a: TrialNote, b: TrialNote): boolean {
  return a.offset === b.offset && a.count === b.count
}
