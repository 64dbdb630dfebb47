import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { RowWriter } from '../db/queries/row-writer.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import type { Dead, Outcome, RunHandle } from '../sdk/settle-record.ts'
import { toRows } from '../sdk/to-rows.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Brake } from './brake.ts'
import { toCrashed } from './dead-letter.ts'
import type { Gate } from './gate.ts'
import { identify } from './identify.ts'
import { createKeyCounts } from './key-counts.ts'
import { logFailedAttempt } from './log-records.ts'
import { isHead, type KeyHints, toParked } from './parking.ts'
import type { SettledRecord } from './settled.ts'
import { createSlots, keyOf, type ReadyStep, type Slot, type Taken } from './slots.ts'
import { toEntry } from './to-entry.ts'

// Records handled before other partitions, timers and sockets have their turn. A cycle waits for a socket a handful of
// times, each time for up to a turn.
const TURN = 20

/** Handles records of a partition before their transaction: in memory, in order, waits for retries included. */
export interface SettleAhead {
  /** The leading steps that can be written, `limit` records and bytes at most; they stay until `drop`. */
  ready(limit: { records: number; bytes: number }): readonly ReadyStep[]
  /** Makes the first step a dead letter: PostgreSQL does not take it, however often. */
  refuse(dead: Dead): void
  /** Nothing of a key has to wait: what was parked of it is handled after all, before anything that comes behind it. */
  unpark(key: Buffer): void
  /** Removes steps that were written. */
  drop(count: number): void
  /** Forgets everything: the partition went to another position. */
  reset(): void
  /** Begins no further record. */
  close(): void
  /** Whether an attempt is running; a wait between two attempts does not count. */
  isBusy(): boolean
  /** Resolves as soon as no attempt is running, of those that were dropped neither. */
  idle(): Promise<void>
  /** Resolves when the partition is revoked, or after `close`. */
  readonly ended: Promise<void>
}

export interface SettleAheadDependencies {
  readonly definition: LoadedFunction
  readonly settle: (record: IdentifiedRecord, attempt: number, runHandle: RunHandle) => Outcome | Promise<Outcome>
  readonly rowWriter: RowWriter | null
  readonly hints: KeyHints
  readonly brake: Brake
  /** Of all functions of the process: attempts that are waiting for something. */
  readonly gate: Gate
  /** Attempts that it breaks off are not settled. */
  readonly shutdown: AbortSignal
  readonly onReady: () => void
  readonly onAttemptFailed: () => void
  readonly log: Logger
}

/** Builds and starts the handling of one partition of a function whose effects are rows, or none. */
export function createSettleAhead(
  partition: AssignedPartition,
  {
    definition,
    settle,
    rowWriter,
    hints,
    brake,
    gate,
    shutdown,
    onReady,
    onAttemptFailed,
    log
  }: SettleAheadDependencies
): SettleAhead {
  const { concurrency } = definition.options
  const runHandle: RunHandle = (input, context) =>
    definition.handle?.(input, context as Parameters<typeof definition.handle>[1])
  const busyKeys = createKeyCounts()
  const slots = createSlots()
  let inFlight = 0
  let attempting = 0
  const idleCalls: (() => void)[] = []
  /** How many trials were. */
  let begun = 0
  let isClosed = false

  async function run(): Promise<void> {
    let handled = 0
    while (!partition.revoked.aborted && !isClosed) {
      const isAlone = partition.trial.isAlone() || brake.mode() === 'probe'
      if (inFlight >= concurrency || slots.isFull(isAlone) || brake.isHeld()) {
        await partition.changed.wait()
        continue
      }
      if (gate.isFull()) await gate.room()
      const next = slots.nextUnparked() ?? takeNext()
      if (!next) {
        await partition.changed.wait()
        continue
      }
      const waiting = handle(next, partition.epoch)
      if (waiting) await waiting
      handled += 1
      if (handled % TURN === 0) await nextTurn()
    }
  }

  function takeNext(): Taken | undefined {
    const item = partition.queue.shift()
    if (!item) return undefined
    const { topicId } = partition.position
    const record =
      item.record && identify(item.record, { topic: definition.topic, topicId, partition: partition.partition })
    const key = concurrency > 1 && record ? keyOf(record) : null
    return { slot: slots.open({ next: item.next, bytes: item.bytes, key }), record }
  }

  /** Gives what has to be waited for, if there is something: else what is handled together is written together. */
  function handle({ slot, record }: Taken, epoch: number): Promise<void> | undefined {
    if (!isWanted(epoch)) return undefined
    // Records of one key stay in order: the next one starts when the one before it is done.
    if (busyKeys.has(slot.key)) return partition.changed.wait().then(() => handle({ slot, record }, epoch))
    if (!record) finish(slot, null)
    else if (partition.trial.isDue(record.offset)) return admit(slot, record, epoch)
    else first(slot, record)
    return undefined
  }

  /** Handles a record when it may be; one that ended the process too often is not tried once more. */
  async function admit(slot: Slot, record: IdentifiedRecord, epoch: number): Promise<void> {
    let ends = await begin(record, epoch)
    while (isWanted(epoch) && brake.isHeld()) {
      // Held while it waited for its turn.
      partition.trial.rest()
      await partition.changed.wait()
      if (isWanted(epoch)) ends = await begin(record, epoch)
    }
    if (!isWanted(epoch)) return
    if (ends >= definition.options.maxAttempts) finish(slot, toSettled(record, toCrashed(ends)))
    else first(slot, record)
  }

  /** Begins the trial of a record, and gives how often a process ended while it was handled. */
  async function begin({ offset }: IdentifiedRecord, epoch: number): Promise<number> {
    begun += 1
    const own = begun
    const ends = await partition.trial.begin(partition, offset)
    // Dropped while it waited for its turn. Unless another one began since: that one runs.
    if (!isWanted(epoch) && own === begun) partition.trial.rest()
    return ends
  }

  function first(slot: Slot, record: IdentifiedRecord) {
    // Not even looked at: it waits behind a dead letter of its key, or behind what was taken for waiting for one.
    const isBehind = hints.has(record.key) || slots.isParked(record)
    if (isBehind) finish(slot, { record, outcome: toParked(), entry: null })
    else attempt(slot, record, 1, partition.epoch)
  }

  function isWanted(epoch: number): boolean {
    return epoch === partition.epoch && !isClosed && !partition.revoked.aborted
  }

  function attempt(slot: Slot, record: IdentifiedRecord, number: number, epoch: number) {
    if (!isWanted(epoch)) return
    try {
      const outcome = settle(record, number, runHandle)
      if (outcome instanceof Promise) void waitFor(outcome, slot, record, { number, epoch })
      else conclude(slot, record, outcome, epoch)
    } catch (error) {
      giveUp(slot, record, { number, epoch, error })
    }
  }

  async function waitFor(
    outcome: Promise<Outcome>,
    slot: Slot,
    record: IdentifiedRecord,
    { number, epoch }: { number: number; epoch: number }
  ): Promise<void> {
    hold(slot)
    gate.enter()
    attempting += 1
    try {
      conclude(slot, record, await outcome, epoch)
    } catch (error) {
      giveUp(slot, record, { number, epoch, error })
    } finally {
      attempting -= 1
      if (attempting === 0) for (const call of idleCalls.splice(0)) call()
      gate.leave()
      // Last: a record that waits for its next attempt is held again by now, and none of its key overtakes it.
      release(slot, epoch)
    }
  }

  function conclude(slot: Slot, record: IdentifiedRecord, outcome: Outcome, epoch: number) {
    if (epoch !== partition.epoch) return
    if (outcome.kind !== 'retry') return finish(slot, toSettled(record, outcome))

    onAttemptFailed()
    const { error, waitMs, nextAttempt } = outcome
    const { offset } = record
    logFailedAttempt(log, record, { attempt: nextAttempt - 1, waitMs, error })
    hold(slot)
    partition.trial.rest()
    const timer = setTimeout(() => {
      partition.revoked.removeEventListener('abort', cancel)
      // Dropped: what is noted by now is another record.
      if (!isWanted(epoch)) return
      if (partition.trial.isDue(offset)) void begin(record, epoch).then(goOn)
      else goOn()
    }, waitMs)
    const goOn = () => {
      release(slot, epoch)
      attempt(slot, record, nextAttempt, epoch)
    }
    const cancel = () => clearTimeout(timer)
    partition.revoked.addEventListener('abort', cancel, { once: true })
  }

  /** At shutdown nothing is settled: whoever comes next handles it again. Else what was thrown defies even a look at it. */
  function giveUp(
    slot: Slot,
    record: IdentifiedRecord,
    { number, epoch, error }: { number: number; epoch: number; error: unknown }
  ) {
    if (shutdown.aborted || epoch !== partition.epoch) return
    const outcome = {
      kind: 'dead',
      stage: 'handle',
      disposition: 'attempts_exhausted',
      attempts: number,
      error
    } as const
    finish(slot, { record, outcome, entry: null })
  }

  function toSettled(record: IdentifiedRecord, outcome: SettledRecord['outcome']): SettledRecord {
    if (outcome.kind === 'dead') return { record, outcome, entry: null }
    try {
      const entry = toEntry(record, rowWriter ? toRows(outcome.effect) : [], rowWriter)
      // Event and effect are in the entry; kept, they would double what waits to be written.
      const { published } = outcome
      return { record, outcome: { kind: 'handled', event: null, effect: null, published }, entry }
    } catch (error) {
      const dead = { kind: 'dead', stage: 'persist', disposition: 'non_retriable', attempts: 1, error } as const
      return { record, outcome: dead, entry: null }
    }
  }

  function hold(slot: Slot) {
    inFlight += 1
    busyKeys.add(slot.key)
  }

  function release(slot: Slot, epoch: number) {
    if (epoch !== partition.epoch) return
    inFlight -= 1
    busyKeys.remove(slot.key)
    partition.changed.wake()
  }

  function finish(slot: Slot, settled: SettledRecord | null) {
    if (settled && isHead(settled.record, settled.outcome)) hints.add(settled.record.key)
    slots.settle(slot, settled)
    // It is not written before the function goes on.
    if (brake.isHeld()) partition.trial.rest()
    onReady()
  }

  return {
    ready: slots.ready,
    refuse(dead) {
      const first = slots.first()
      if (first?.settled) slots.settle(first, toSettled(first.settled.record, dead))
    },
    unpark(key) {
      slots.unpark(key)
      partition.changed.wake()
    },
    drop(count) {
      slots.drop(count)
      partition.changed.wake()
    },
    reset() {
      slots.clear()
      inFlight = 0
      busyKeys.clear()
      partition.changed.wake()
    },
    close() {
      isClosed = true
      partition.changed.wake()
    },
    isBusy: () => attempting > 0,
    async idle() {
      if (attempting > 0) await new Promise<void>(resolve => idleCalls.push(resolve))
    },
    ended: run()
  }
}
