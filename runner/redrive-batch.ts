import { releaseKeys } from '../db/queries/blocked-keys.ts'
import type { InboxEntry } from '../db/queries/inbox.ts'
import { insertOutbox } from '../db/queries/outbox.ts'
import { countRedriven, failAgain, findEnded, type Redriving, resolve, takeRedriving } from '../db/queries/redrive.ts'
import type { WriteTransaction } from '../db/writer.ts'
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
import { MAX_RECORDS } from './run-prefix.ts'
import { type Tally, tallyOf, type WriteDependencies } from './settled.ts'
import { toEntry } from './to-entry.ts'
import { writeEntries } from './write-entries.ts'
import { toPublications } from './write-outcomes.ts'

const MAX_LETTERS = 500
const MAX_BYTES = 4 * 1024 * 1024
/** A transaction takes no further letter after it: locks are short, and live traffic has its turn. */
const MAX_MS = 1_000

export interface RedriveBatchDependencies extends AttemptDependencies {
  readonly write: Omit<WriteDependencies, 'topicIdOf' | 'flood'>
}

/** What one transaction of a redrive came to; ids are those of dead letters. */
export interface Redriven {
  readonly resolved: readonly string[]
  readonly failed: readonly string[]
  /** Those that wait for their next attempt, and what is known of them. */
  readonly waiting: ReadonlyMap<string, Memory>
  /** Those of the memories that another runner has settled. */
  readonly ended: readonly string[]
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
  const { definition, write } = dependencies
  const { groupId, topic, ordering, rowWriter } = write
  const isTransaction = definition.kind === 'transaction'
  const limit = isTransaction ? MAX_RECORDS : MAX_LETTERS
  const attempt = isTransaction ? createTransactionAttempt(dependencies) : createRowAttempt(dependencies)

  /** @throws what an attempt in a transaction throws, with `deadLetterId` beside it */
  return async function runBatch(tx: WriteTransaction, memories: ReadonlyMap<string, Memory>): Promise<Redriven> {
    const except = [...memories].flatMap(([id, { notBeforeMs }]) => (notBeforeMs > performance.now() ? [id] : []))
    const ended = await findEnded(tx.query, [...memories.keys()])
    const letters = await takeRedriving(tx.query, write, { limit, maxBytes: MAX_BYTES, except })
    const waiting = new Map<string, Memory>()
    const handled: Handled[] = []
    const failed: Failed[] = []
    const endedKeys = new Set<string | null>()
    const endMs = performance.now() + MAX_MS

    for (const letter of letters) {
      if (letter.keyHash !== null && endedKeys.has(letter.keyHash)) continue
      if (performance.now() > endMs) break
      const record = toRecord(letter, topic)
      const { outcome, isKnown } = await attemptLetter(tx, letter, record, memories.get(letter.id))
      if (outcome.kind !== 'handled') endedKeys.add(letter.keyHash)

      if (outcome.kind === 'retry') waiting.set(letter.id, toMemory(record, outcome))
      else if (outcome.kind === 'dead') failed.push({ letter, record, reason: outcome })
      else addHandled({ letter, record, outcome, isKnown })
    }
    const { resolved, tally } = await writeHandled(tx, handled, failed)
    await writeFailed(tx, failed)
    await resolve(tx.query, resolved)
    await countRedriven(tx.query, write, tally)
    // Last: it waits for cycles that park right now. A cycle that met a copy of one of these letters waits for this in
    // turn; PostgreSQL ends one of the two, and it is run again.
    if (ordering === 'key') await releaseKeys(tx.query, groupId, hashesOf(letters, resolved))
    return { resolved, failed: failed.map(({ letter }) => letter.id), waiting, ended, tally }

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
    memory: Memory | undefined
  ): Promise<AttemptResult> {
    if (memory?.dead) return { outcome: memory.dead, isKnown: false }
    try {
      return await attempt(tx, record, memory?.attempt ?? 1, { attemptsBefore: letter.attempts })
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
      log.warn(
        { err: error, partition: record.partition, offset: record.offset, attempt: number, waitMs },
        'attempt failed'
      )
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
