import type { InboxEntry } from '../db/queries/inbox.ts'
import type { RowWriter } from '../db/queries/row-writer.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import type { Dead, Outcome } from '../sdk/settle-record.ts'
import type { FloodBreaker } from './flood.ts'
import type { ToMirrorEntry } from './mirror.ts'
import type { ToOutboxEntries } from './outbox-entries.ts'

/** A record with what became of it. */
export interface SettledRecord {
  readonly record: IdentifiedRecord
  readonly outcome: Extract<Outcome, { kind: 'handled' | 'dead' }>
  /** Rows of the function's table; empty without one, and for the dead. */
  readonly entry: InboxEntry | null
}

/** A record that cannot be settled, with the reason. */
export interface DeadRecord {
  readonly record: IdentifiedRecord
  readonly reason: Dead
}

/** What the outcomes of one partition came to. */
export interface Tally {
  messages: number
  rows: number
  deadLetters: number
  /** Those, in no order; missing without any. */
  dead?: DeadRecord[]
  duplicates: number
  /** Null when nothing was new. */
  lastMessageMs: number | null
}

export interface WriteDependencies {
  readonly groupId: string
  readonly topic: string
  /** What a dead letter holds back: nothing, or the later records of its key. */
  readonly ordering: 'partition' | 'key'
  readonly flood: Pick<FloodBreaker, 'check'>
  readonly topicIdOf: (partition: number) => string | null
  readonly rowWriter: RowWriter | null
  readonly toOutboxEntries: ToOutboxEntries
  /** Copies of dead letters; without it there are none. */
  readonly toMirrorEntry?: ToMirrorEntry
  readonly nowMs: () => number
}

/** Counts a new dead letter. */
export function countDead(tally: Tally, letter: DeadRecord): void {
  tally.deadLetters += 1
  tally.dead ??= []
  tally.dead.push(letter)
}

/** Gives the counts of a partition, from nothing when it has none yet. */
export function tallyOf(tallies: Map<number, Tally>, partition: number): Tally {
  const tally = tallies.get(partition) ?? { messages: 0, rows: 0, deadLetters: 0, duplicates: 0, lastMessageMs: null }
  tallies.set(partition, tally)
  return tally
}
