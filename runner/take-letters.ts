import type { Query } from '../db/queries/blocked-keys.ts'
import { type Redriving, takeOne, takeRedriving } from '../db/queries/redrive.ts'
import type { Dead } from '../sdk/settle-record.ts'
import { toCrashed } from './dead-letter.ts'
import type { RedriveTrials } from './redrive-trials.ts'

const MAX_BYTES = 4 * 1024 * 1024

/** Dead letters that are locked, and noted as about to be handled. */
export interface TakenLetters {
  readonly letters: readonly Redriving[]
  /** Those at which a process may have ended, and which were not taken for it: each has to go alone, in this order. */
  readonly suspects: readonly string[]
  /** Of the one that goes alone, when processes ended at it too often for one more time. */
  readonly crashed: Dead | null
}

interface LetterTakerDependencies {
  readonly write: { readonly groupId: string; readonly topic: string }
  /** Letters at most. */
  readonly limit: number
  /** After so many ends of a process a letter is not tried again. */
  readonly maxAttempts: number
  readonly trials: RedriveTrials
}

/** Builds the taking of what a transaction of a redrive handles. */
export function createLetterTaker({ write, limit, maxAttempts, trials }: LetterTakerDependencies) {
  return {
    /** Takes many, but for suspects and what is behind them in their keys. */
    async takeMany(query: Query, except: readonly string[]): Promise<TakenLetters> {
      const found = await takeRedriving(query, write, { limit, maxBytes: MAX_BYTES, except })
      const ends = await trials.findSuspects(query, toIds(found))
      const heldKeys = new Set<string>()
      const letters: Redriving[] = []
      const suspects: string[] = []

      for (const letter of found) {
        const { id, keyHash } = letter
        if (keyHash !== null && heldKeys.has(keyHash)) continue
        if (ends.has(id)) {
          suspects.push(id)
          if (keyHash !== null) heldKeys.add(keyHash)
        } else letters.push(letter)
      }
      await trials.begin(toIds(letters))
      return { letters, suspects, crashed: null }
    },

    /** Takes one alone; none when another runner has it, or has settled it. */
    async takeAlone(query: Query, id: string): Promise<TakenLetters> {
      const letters = await takeOne(query, id)
      const [letter] = letters
      if (!letter) return { letters, suspects: [], crashed: null }
      const ends = (await trials.findSuspects(query, [id])).get(id) ?? 0
      if (ends >= maxAttempts) {
        return { letters, suspects: [], crashed: { ...toCrashed(ends), attempts: letter.attempts + ends } }
      }
      await trials.beginAlone(id, ends)
      return { letters, suspects: [], crashed: null }
    }
  }
}

/** Ids of dead letters, in their order. */
export function toIds(letters: readonly Redriving[]): string[] {
  return letters.map(({ id }) => id)
}
