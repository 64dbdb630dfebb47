import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { createPositionQueries, TrialNote } from '../db/queries/positions.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { aborted, createPatience, logOnce } from './patience.ts'
import type { HeldTurn, Turn } from './turn.ts'

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
   * Notes that a record is about to be handled; waits until PostgreSQL has it, and for its turn if it is handled alone.
   *
   * @param signal gives up waiting; by default when the partition is revoked
   * @returns how often a process ended while it handled the record; noted anew only while that is below the limit
   */
  begin(
    partition: Pick<AssignedPartition, 'position' | 'highWatermark' | 'revoked'>,
    offset: string,
    signal?: AbortSignal
  ): Promise<number>
  /**
   * Nothing of the record runs until `begin` is called again, and that may be long: who waits for the turn gets it, and
   * the note is taken back for as long.
   *
   * @param ended when it runs no more, if something of it may still run; no other record is noted before
   */
  rest(ended?: Promise<void>): void
  /** The position was moved to `next`: PostgreSQL cleared the note with it. */
  onCommitted(next: bigint): void
  /**
   * Someone else moved the position to `next`, and cleared the note with it: what comes now is noted anew.
   *
   * @param ended when nothing of what was dropped runs any more; no other record is noted before
   */
  onMoved(next: bigint, ended: Promise<void>): void
  /**
   * Takes the own note back: what it was about did not end the process. Nor is it counted here if it does so yet, for
   * the next owner may have it noted by then.
   *
   * @param ended when it runs no more: until then nobody else has the turn, and an end is counted against nobody
   */
  release(ended?: Promise<void>): Promise<void>
}

export interface TrialDependencies {
  readonly groupId: string
  readonly topic: string
  readonly positions: Pick<ReturnType<typeof createPositionQueries>, 'readNote' | 'swapNote'>
  /** After so many ends of a process a record is not tried again. */
  readonly maxAttempts: number
  /** Of all functions of the process, and of its redrives. */
  readonly turn: Turn
  readonly log: Logger
}

/**
 * Builds the making of trials for the partitions of a function. An owner notes where it begins; its first commit clears
 * the note, and so does its clean end. Who finds a note that stays is the next one after an unclean end. After the first
 * it goes on as ever, for most ends are kills and slow nothing down; after a second at the same position it handles the
 * records one at a time, each with a note of its own, until all that may have been in hand then are settled. One at a time
 * in the whole process: else its end would be counted against heads of other partitions that had no part in it.
 */
export function createTrials({ groupId, topic, positions, maxAttempts, turn, log }: TrialDependencies) {
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
    /** One after the other: what is noted, and what is taken back. */
    let pending: Promise<unknown> = Promise.resolve()
    let held: HeldTurn | null = null
    let isResting = false
    let leaveBeside: () => void = () => undefined
    let gone: AbortSignal | null = null
    /** Raised with every move: what began to be noted before is of the old position. */
    let moves = 0

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
      // Nobody suspects it yet, and yet it may be the one: for a moment the others wait for what comes of it.
      if (aloneUntil === null) leaveBeside = turn.runBeside()
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

    async function note(offset: bigint, highWatermark: bigint, signal: AbortSignal): Promise<number> {
      if (!isOpen) await open(highWatermark)
      if (aloneUntil === null) return 0
      const isNoted = isMine && noted?.offset === offset
      const ends = noted?.offset === offset ? noted.count - (isNoted ? 1 : 0) : 0
      if (ends >= maxAttempts) return ends
      const of = moves
      held ??= await turn.take(signal, onWanted)
      if (!held || isNoted || of !== moves) return ends
      await swap({ offset, count: ends + 1 })
      begun += 1
      return ends
    }

    function onWanted() {
      if (isResting) pending = pending.then(giveTurn)
    }

    /** Only without a note: one that stays would be counted for whatever ends the process in another one's turn. */
    async function giveTurn(): Promise<void> {
      const patience = createPatience()
      while (held && isResting && !gone?.aborted) {
        try {
          await takeBack()
          return endTurn()
        } catch (error) {
          log.debug({ err: error, partition }, 'the note cannot be taken back yet')
          await patience.wait(gone ?? new AbortController().signal)
        }
      }
    }

    async function takeBack(): Promise<void> {
      const own = noted
      if (!own || !isMine) return
      const to = aloneUntil === null ? before : { offset: own.offset, count: own.count - 1 }
      await positions.swapNote(place, { position, from: own, to })
      // A commit that came meanwhile has cleared it.
      if (noted !== own) return
      noted = to
      isMine = false
    }

    /** A search goes on as long as the position is among what is suspected: a commit of our own may look like a move. */
    function forget(next: bigint) {
      noted = null
      isMine = false
      if (aloneUntil !== null && next < aloneUntil) return
      aloneUntil = null
      begun = 0
      isOpen = false
    }

    function rest(ended?: Promise<void>) {
      if (ended && gone) {
        const stopped = aborted(gone)
        pending = pending.then(() => Promise.race([ended, stopped]))
      }
      leaveBeside()
      if (!held) return
      isResting = true
      if (held.isWanted()) onWanted()
    }

    function endTurn() {
      leaveBeside()
      held?.end()
      held = null
      isResting = false
    }

    return {
      isAlone: () => aloneUntil !== null,
      isDue(offset) {
        if (!isOpen || aloneUntil === null) return !isOpen
        return !held || isResting || !isMine || noted?.offset !== BigInt(offset)
      },
      async begin({ position: { nextOffset }, highWatermark, revoked }, offset, signal = revoked) {
        const patience = createPatience()
        const of = moves
        position = nextOffset
        gone = revoked
        isResting = false
        while (!signal.aborted) {
          try {
            const noting = pending.then(() => (of === moves ? note(BigInt(offset), highWatermark, signal) : 0))
            pending = noting.catch(() => undefined)
            return await noting
          } catch (error) {
            logOnce(log, patience, error, 'what is about to be handled cannot be noted yet')
            await patience.wait(signal)
          }
        }
        return 0
      },
      rest,
      onCommitted(next) {
        noted = null
        isMine = false
        position = next
        if (aloneUntil !== null && (next >= aloneUntil || begun >= SUSPECTS)) aloneUntil = null
        endTurn()
      },
      onMoved(next, ended) {
        moves += 1
        forget(next)
        rest(ended)
        // Once more behind what was on its way to PostgreSQL, and before anything that begins from now on.
        pending = pending.then(() => {
          forget(next)
          if (!gone?.aborted) endTurn()
        })
      },
      async release(ended) {
        await pending
        const own = isMine ? noted : null
        if (own) left.set(partition, own)
        try {
          await takeBack()
          left.delete(partition)
        } catch (error) {
          log.debug({ err: error, partition }, 'the note could not be taken back')
        } finally {
          await ended
          endTurn()
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
  rest: () => undefined,
  onCommitted: () => undefined,
  onMoved: () => undefined,
  release: async () => undefined
}

function isSame(a: TrialNote, b: TrialNote): boolean {
  return a.offset === b.offset && a.count === b.count
}
