import type { Sql } from 'postgres'
import type { Query } from '../db/queries/blocked-keys.ts'
import {
  endRedriveTrials,
  findRedriveTrials,
  noteRedriveTrials,
  type RedriveNote,
  restoreRedriveTrials
} from '../db/queries/redrive-trials.ts'

/**
 * What PostgreSQL is told of dead letters before they are redriven, so that one that ends the process is found: many
 * at once at first, because a redrive is seldom deadly. Those that a process left behind are suspects. They go one at a
 * time, and each such start is counted.
 */
export interface RedriveTrials {
  /** Gives how often processes ended at those of some dead letters that are suspects; ask with their locks. */
  findSuspects(query: Query, ids: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Notes that they are about to be handled, on another connection than the one that has their locks. */
  begin(ids: readonly string[]): Promise<void>
  /** Notes that this one is about to be handled alone, after `ends` ends of a process. */
  beginAlone(id: string, ends: number): Promise<void>
  /** Removes notes, in the transaction that settles what they are about. */
  end(query: Query, ids: readonly string[]): Promise<void>
  /** The transaction was committed: what it ended is forgotten, and what others settled. */
  onCommitted(settledByOthers: readonly string[]): void
  /** Puts back what was noted before, of all that is noted but not ended, or of some of it: it ended no process. */
  takeBack(options?: { only?: string; except?: string }): Promise<void>
}

/** Builds the notes of the redriver of one function. */
export function createRedriveTrials(sql: Sql): RedriveTrials {
  const query: Query = async (text, parameters = []) => sql.unsafe(text, [...parameters], { prepare: true })
  /** What this process has noted. It runs: whatever stays here has not ended it. */
  const noted = new Map<string, RedriveNote>()
  let ending: readonly string[] = []

  async function note(notes: ReadonlyMap<string, RedriveNote>): Promise<void> {
    // First, because an answer may be lost on the way.
    for (const [id, made] of notes) noted.set(id, made)
    await noteRedriveTrials(query, notes)
  }

  return {
    async findSuspects(inTransaction, ids) {
      const found = await findRedriveTrials(inTransaction, ids)
      for (const id of found.keys()) {
        const own = noted.get(id)
        if (own?.before === null) found.delete(id)
        else if (own) found.set(id, own.before)
      }
      return found
    },
    begin: ids => note(new Map(ids.map(id => [id, { starts: 0, before: null }]))),
    beginAlone: (id, ends) => note(new Map([[id, { starts: ends + 1, before: ends }]])),
    async end(inTransaction, ids) {
      ending = ids
      await endRedriveTrials(inTransaction, ids)
    },
    onCommitted(settledByOthers) {
      for (const id of [...ending, ...settledByOthers]) noted.delete(id)
      ending = []
    },
    async takeBack({ only, except } = {}) {
      ending = []
      const notes = new Map([...noted].filter(([id]) => id !== except && (only === undefined || id === only)))
      await restoreRedriveTrials(query, notes)
      for (const id of notes.keys()) noted.delete(id)
    }
  }
}

/** Where nothing is noted: a function without a `handle` has nothing that could end the process. */
export const NO_REDRIVE_TRIALS: RedriveTrials = {
  findSuspects: async () => new Map(),
  begin: async () => undefined,
  beginAlone: async () => undefined,
  end: async () => undefined,
  onCommitted: () => undefined,
  takeBack: async () => undefined
}
