import type { InboxEntry } from '../db/queries/inbox.ts'
import { insertOutbox, type OutboxEntry } from '../db/queries/outbox.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import { failpoint } from '../sdk/failpoints.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import type { Dead } from '../sdk/settle-record.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { type AttemptDependencies, createTransactionAttempt, type Memory, toMemory } from './attempt-in-transaction.ts'
import { identify } from './identify.ts'
import { isHead, openParking, toParked } from './parking.ts'
import type { QueuedItem } from './partition-queue.ts'
import { claimPositions, movePositions } from './positions-of-cycle.ts'
import { type DeadRecord, type Tally, tallyOf, type WriteDependencies } from './settled.ts'
import { sortKnown } from './sort-known.ts'
import { toEntry } from './to-entry.ts'
import { writeDead } from './write-dead.ts'
import { toPublications } from './write-outcomes.ts'

/** A transaction ends after so many records: a backend caches 64 subtransaction ids, and more slow every other reader down. */
export const MAX_RECORDS = 60
const MAX_MS = 1_000

/** What one transaction came to. */
export interface Prefix {
  /** Items settled, from the first on; 0 when the first has to wait. */
  readonly count: number
  readonly next: bigint
  readonly tally: Tally | undefined
  /** Of the record that stopped it. */
  readonly memory: Memory | null
}

/** By offset. More than one, because a transaction that was given up takes records with it that were settled in it. */
export type Memories = ReadonlyMap<string, Memory>

export interface PrefixDependencies extends AttemptDependencies {
  readonly write: WriteDependencies
}

/**
 * Builds the transaction of one partition of a function that does any SQL: its records one after the other, each
 * behind a savepoint, as far as none has to wait.
 */
export function createPrefixRunner(partition: AssignedPartition, dependencies: PrefixDependencies) {
  const { write } = dependencies
  const { groupId, topic } = write
  const attemptOnce = createTransactionAttempt(dependencies)

  /**
   * @throws SMG_RUNNER_ABANDONED with `memory` when an attempt ran out of time and still runs: its connection is gone,
   * and with it all of this transaction
   */
  return async function runPrefix(
    tx: WriteTransaction,
    hand: readonly QueuedItem[],
    memories: Memories
  ): Promise<Prefix> {
    const expected = partition.position.nextOffset
    const tallies = new Map<number, Tally>()
    const tally = tallyOf(tallies, partition.partition)
    const dead: DeadRecord[] = []
    /** By event id. Their letters are written behind the last record, and until then the inbox knows nothing of them. */
    const died = new Map<string, Dead>()
    const copies: DeadRecord[] = []
    const publications: OutboxEntry[] = []
    const known: { entry: InboxEntry; record: IdentifiedRecord }[] = []
    const endMs = performance.now() + MAX_MS
    let memory: Memory | null = null
    let count = 0
    let next = expected

    await claimPositions(tx, [{ owned: partition, expected, next: expected }], { groupId, topic })
    const inHand = hand.flatMap(({ record }) => record ?? [])
    const parking = await openParking(tx, inHand, write)

    for (const item of hand) {
      if (count > 0 && (performance.now() > endMs || partition.revoked.aborted)) break
      if (item.record) {
        const place = { topic, topicId: partition.position.topicId, partition: partition.partition }
        const record = identify(item.record, place)
        const remembered = memories.get(record.offset)
        // It begins a transaction of its own: if it fails again, what was done before it stands.
        if (remembered && (count > 0 || remembered.notBeforeMs > performance.now())) break

        const diedOf = died.get(record.id)
        const decided = diedOf ?? (parking.isBlocked(record) ? toParked() : remembered?.dead)
        const { outcome, isKnown } = decided
          ? { outcome: decided, isKnown: false }
          : await attemptOnce(tx, record, remembered?.attempt ?? 1)
        if (outcome.kind === 'retry') {
          memory = toMemory(record, outcome)
          break
        }
        if (diedOf) copies.push({ record, reason: diedOf })
        else if (outcome.kind === 'dead') {
          dead.push({ record, reason: outcome })
          died.set(record.id, outcome)
        } else if (isKnown) known.push({ entry: toEntry(record, [], null), record })
        else {
          tally.messages += 1
          tally.lastMessageMs = Math.max(tally.lastMessageMs ?? 0, record.timestampMs)
          publications.push(...toPublications({ record, outcome }, write))
        }
      }
      count += 1
      next = item.next
      // Whether what follows has to wait is known when this dead letter is written: in the next transaction.
      const last = dead.at(-1)
      if (write.ordering === 'key' && last && isHead(last.record, last.reason)) break
    }
    dead.push(...(await sortKnown(tx, known, tallies, write)))
    const fresh = await writeDead(tx, [...dead, ...copies], tallies, write)
    await parking.block(dead, fresh)
    await write.flood.check(
      tx,
      count,
      dead.filter(({ record }) => fresh.has(record.id))
    )
    await insertOutbox(tx, publications)
    await failpoint('after-effects')
    if (count > 0) await movePositions(tx, [{ owned: partition, expected, next }], tallies, { groupId, topic })
    await failpoint('before-commit')
    return { count, next, tally, memory }
  }
}
