import { lockKeysOf, releaseKeys } from '../db/queries/blocked-keys.ts'
import type { InboxEntry } from '../db/queries/inbox.ts'
import { insertOutbox } from '../db/queries/outbox.ts'
import { countRedriven, failAgain, findEnded, type Redriving, resolve } from '../db/queries/redrive.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import { createRecordSettler, type Dead, type Outcome, type RunHandle } from '../sdk/settle-record.ts'
import { toRows } from '../sdk/to-rows.ts'
import {
  type AttemptDependencies,
  type AttemptResult,
  createTransactionAttempt,
  type Memory,
  toMemory
} from './attempt-in-transaction.ts'
import { toDeadLetter } from './dead-letter.ts'
import { logFailedAttempt } from './log-records.ts'
import type { RedriveTrials } from './redrive-trials.ts'
import { MAX_RECORDS } from './run-prefix.ts'
import { type DeadRecord, type Tally, tallyOf, type WriteDependencies } from './settled.ts'
import { createLetterTaker, toIds } from './take-letters.ts'
import { toEntry } from './to-entry.ts'
import { writeEntries } from './write-entries.ts'
import { toPublications } from './write-outcomes.ts'

const MAX_LETTERS = 500
/** A transaction takes no further letter after it: locks are short, and live traffic has its turn. */
const MAX_MS = 1_000

export interface RedriveBatchDependencies extends AttemptDependencies {
  readonly write: Omit<WriteDependencies, 'topicIdOf' | 'flood'>
  readonly trials: RedriveTrials
}

/** What one transaction of a redrive came to; ids are those of dead letters. */
export interface Redriven {
  readonly resolved: readonly string[]
  /** Records of the resolved, and of the failed with their new reasons. */
  readonly resolvedRecords: readonly IdentifiedRecord[]
  readonly dead: readonly DeadRecord[]
  readonly failed: readonly string[]
  /** Those that wait for their next attempt, and what is known of them. */
  readonly waiting: ReadonlyMap<string, Memory>
  /** Those of the memories that another runner has settled. */
  readonly ended: readonly string[]
  /** Those at which a process may have ended: each has to go alone, in this order. */
  readonly suspects: readonly string[]
  readonly tally: Tally
}

interface Handled {
  readonly letter: Redriving
  readonly record: IdentifiedRecord
  readonly outcome: Extract<Outcome, { kind: 'handled' }>
  readonly entry: InboxEntry
  readonly isKnown: boolean
}

interface Failed {
  readonly letter: Redriving
  readonly record: IdentifiedRecord
  readonly reason: Dead
}

/**
 * Builds the transaction of a redrive: takes keys that no other runner has, runs their letters in order, and commits
 * effects and `resolved` together. A letter that fails ends the turn of its key.
 */
export function createRedriveBatch(dependencies: RedriveBatchDependencies) {
  const { definition, write, trials } = dependencies
  const { groupId, topic, ordering, rowWriter } = write
  const isTransaction = definition.kind === 'transaction'
  const taker = createLetterTaker({
    write,
    limit: isTransaction ? MAX_RECORDS : MAX_LETTERS,
    maxAttempts: definition.options.maxAttempts,
    trials
  })
  const attempt = isTransaction ? createTransactionAttempt(dependencies) : createRowAttempt(dependencies)

  /**
   * @param alone takes this letter and no other; null takes many, but for those that have to go alone
   * @throws what an attempt in a transaction throws, with `deadLetterId` beside it
   */
  return async function runBatch(
    tx: WriteTransaction,
    memories: ReadonlyMap<string, Memory>,
    alone: string | null
  ): Promise<Redriven> {
    const except = [...memories].flatMap(([id, { notBeforeMs }]) => (notBeforeMs > performance.now() ? [id] : []))
    const ended = await findEnded(tx.query, [...memories.keys()])
    const taken = await (alone === null ? taker.takeMany(tx.query, except) : taker.takeAlone(tx.query, alone))
    const { letters, suspects, crashed } = taken
    const waiting = new Map<string, Memory>()
    const handled: Handled[] = []
    const failed: Failed[] = []
    const endedKeys = new Set<string | null>()
    const endMs = performance.now() + MAX_MS

    for (const letter of letters) {
      if (letter.keyHash !== null && endedKeys.has(letter.keyHash)) continue
      if (performance.now() > endMs) break
      const record = toRecord(letter, topic)
      const known = crashed ?? memories.get(letter.id)?.dead
      const { outcome, isKnown } = known
        ? { outcome: known, isKnown: false }
        : await attemptLetter(tx, letter, record, memories.get(letter.id)?.attempt)
      if (outcome.kind !== 'handled') endedKeys.add(letter.keyHash)

      if (outcome.kind === 'retry') waiting.set(letter.id, toMemory(record, outcome))
      else if (outcome.kind === 'dead') failed.push({ letter, record, reason: outcome })
      else addHandled({ letter, record, outcome, isKnown })
    }
    const { resolved, tally } = await writeHandled(tx, handled, failed)
    await countRedriven(tx.query, write, tally)
    // Behind the position, as in a cycle. It waits for cycles that park right now; a cycle that met a copy of one of
    // these letters waits for this in turn: PostgreSQL ends one of the two, and it is run again. What fails holds its key
    // too, or an operator sends what is parked past a head that is about to be dead again.
    const settled = [...resolved, ...failed.map(({ letter }) => letter.id)]
    if (ordering === 'key') await lockKeysOf(tx.query, settled, 'UPDATE')
    await writeFailed(tx, failed)
    await resolve(tx.query, resolved)
    // One that goes alone stays noted until it is settled; of many, those that will be tried again.
    const isResolved = new Set(resolved)
    const isSettled = new Set(settled)
    const isOver = (id: string) => (alone === null ? !waiting.has(id) : isSettled.has(id))
    await trials.end(tx.query, toIds(letters).filter(isOver))
    if (ordering === 'key') await releaseKeys(tx.query, groupId, hashesOf(letters, resolved))
    return {
      resolved,
      resolvedRecords: handled.flatMap(({ letter, record }) => (isResolved.has(letter.id) ? [record] : [])),
      dead: failed,
      failed: failed.map(({ letter }) => letter.id),
      waiting,
      ended,
      suspects,
      tally
    }

    function addHandled({ letter, record, outcome, isKnown }: Omit<Handled, 'entry'>) {
      try {
        const rows = rowWriter ? toRows(outcome.effect) : []
        handled.push({ letter, record, outcome, isKnown, entry: toEntry(record, rows, rowWriter) })
      } catch (error) {
        // Rows that are none: nothing was written yet.
        failed.push({ letter, record, reason: toRefused(letter, error) })
        endedKeys.add(letter.keyHash)
      }
    }
  }

  async function attemptLetter(
    tx: WriteTransaction,
    letter: Redriving,
    record: IdentifiedRecord,
    number = 1
  ): Promise<AttemptResult> {
    try {
      return await attempt(tx, record, number, { attemptsBefore: letter.attempts })
    } catch (error) {
      throw typeof error === 'object' && error !== null ? Object.assign(error, { deadLetterId: letter.id }) : error
    }
  }

  /** Writes what the attempts gave; what PostgreSQL refuses of it has failed, and is added to `failed`. */
  async function writeHandled(tx: WriteTransaction, handled: readonly Handled[], failed: Failed[]) {
    const tally = tallyOf(new Map(), 0)
    // A function with a transaction has written already.
    const entries = isTransaction ? [] : handled.map(({ entry }) => entry)
    const options = { care: 'again', holdsKeys: true, isRedrive: true } as const
    const { written, refused, held } = await writeEntries(tx, entries, options, write)
    const errors = new Map(refused.map(({ entry, error }) => [entry.id, error]))
    const heldIds = new Set(held.map(({ id }) => id))
    const resolved: string[] = []

    for (const item of handled) {
      const { letter, record, entry } = item
      if (errors.has(record.id)) failed.push({ letter, record, reason: toRefused(letter, errors.get(record.id)) })
      else if (!heldIds.has(record.id)) resolved.push(letter.id)
      // What the inbox knew had its effect long ago, and is resolved all the same.
      const isNew = isTransaction ? !item.isKnown : written.has(record.id)
      if (!isNew) continue
      tally.messages += 1
      tally.rows += entry.rows.length
      await insertOutbox(tx, toPublications(item, write))
    }
    return { resolved, tally }
  }

  async function writeFailed(tx: WriteTransaction, failed: readonly Failed[]): Promise<void> {
    const letters = failed.map(({ record, reason }) => toDeadLetter(record, reason, write.nowMs()))
    await failAgain(
      tx.query,
      groupId,
      letters.map((again, index) => ({ ...again, id: failed[index]?.letter.id ?? again.id }))
    )
    const { toMirrorEntry } = write
    if (toMirrorEntry) await insertOutbox(tx, letters.map(toMirrorEntry))
  }
}

/** An attempt of a function whose effects are rows, or none: nothing is written yet. */
function createRowAttempt({ definition, settle, metrics, log }: AttemptDependencies) {
  const settleRecord = createRecordSettler(definition, settle)
  const runHandle: RunHandle = (input, context) =>
    definition.handle?.(input, context as Parameters<typeof definition.handle>[1])

  return async (
    _tx: WriteTransaction,
    record: IdentifiedRecord,
    number: number,
    redrive: { attemptsBefore: number }
  ): Promise<AttemptResult> => {
    const outcome = await settleRecord(record, number, runHandle, redrive)
    if (outcome.kind === 'retry') {
      const { error, waitMs } = outcome
      metrics.attemptsFailed.inc({ topic: definition.topic })
      logFailedAttempt(log, record, { attempt: number, waitMs, error })
    }
    return { outcome, isKnown: false }
  }
}

function toRecord(letter: Redriving, topic: string): IdentifiedRecord {
  const { eventId: id, partition, offset, key, value, timestampMs } = letter
  const headers = letter.headers.map(
    ([name, base64]) => [name, base64 === null ? null : Buffer.from(base64, 'base64')] as const
  )
  return { id, topic, partition, offset, key, value, timestampMs, headers }
}

function toRefused({ attempts }: Redriving, error: unknown): Dead {
  return { kind: 'dead', stage: 'persist', disposition: 'non_retriable', attempts: attempts + 1, error }
}

function hashesOf(letters: readonly Redriving[], resolved: readonly string[]): string[] {
  const ids = new Set(resolved)
  return letters.flatMap(({ id, keyHash }) => (keyHash !== null && ids.has(id) ? [keyHash] : []))
}
