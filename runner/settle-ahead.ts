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
import { isHead, isParked, type KeyHints, toParked } from './parking.ts'
import type { SettledRecord } from './settled.ts'
import { toEntry } from './to-entry.ts'

const MAX_AHEAD_RECORDS = 2_000
const MAX_AHEAD_BYTES = 8 * 1024 * 1024
// Records handled before other partitions, timers and sockets have their turn.
const TURN = 100

/** A step of a partition that can be written. */
export interface ReadyStep {
  /** Null for the end of a batch that held nothing to handle. */
  readonly settled: SettledRecord | null
  /** The position once this step is written. */
  readonly next: bigint
  readonly bytes: number
}

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

interface Slot {
  readonly next: bigint
  readonly bytes: number
  readonly key: string | null
  /** Undefined until it is ready. */
  settled: SettledRecord | null | undefined
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
  const busyKeys = new Map<string, number>()
  let slots: Slot[] = []
  /** Those that were parked, and are to be handled after all; in order. */
  let unparked: { slot: Slot; record: IdentifiedRecord }[] = []
  let bytesAhead = 0
  let inFlight = 0
  let attempting = 0
  /** How many trials were. */
  let begun = 0
  let isClosed = false

  async function run(): Promise<void> {
    let handled = 0
    while (!partition.revoked.aborted && !isClosed) {
      const isAlone = partition.trial.isAlone() || brake.mode() === 'probe'
      const maxAhead = isAlone ? 1 : MAX_AHEAD_RECORDS
      const isFull = unparked.length === 0 && (slots.length >= maxAhead || bytesAhead >= MAX_AHEAD_BYTES)
      if (inFlight >= concurrency || isFull || brake.isHeld()) {
        await partition.changed.wait()
        continue
      }
      if (gate.isFull()) await gate.room()
      const again = unparked.shift()
      if (again) {
        await runAgain(again.slot, again.record)
        continue
      }
      const item = partition.queue.shift()
      if (!item) {
        await partition.changed.wait()
        continue
      }
      const { topicId } = partition.position
      const record =
        item.record && identify(item.record, { topic: definition.topic, topicId, partition: partition.partition })
      const key = concurrency > 1 && record?.key ? record.key.toString('latin1') : null
      const { epoch } = partition
      // Records of one key stay in order: the next one starts when the one before it is done.
      while (key !== null && busyKeys.has(key) && isWanted(epoch)) await partition.changed.wait()
      if (!isWanted(epoch)) continue

      const slot = { next: item.next, bytes: item.bytes, key, settled: undefined }
      slots.push(slot)
      bytesAhead += slot.bytes
      if (!record) finish(slot, null)
      else if (partition.trial.isDue(record.offset)) await admit(slot, record, epoch)
      else first(slot, record)
      handled += 1
      if (handled % TURN === 0) await nextTurn()
    }
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
    // Not even looked at: it waits behind a dead letter of its key.
    if (hints.has(record.key)) finish(slot, { record, outcome: toParked(), entry: null })
    else attempt(slot, record, 1, partition.epoch)
  }

  async function runAgain(slot: Slot, record: IdentifiedRecord): Promise<void> {
    const { epoch } = partition
    while (slot.key !== null && busyKeys.has(slot.key) && isWanted(epoch)) await partition.changed.wait()
    if (!isWanted(epoch)) return
    // It may have lost its turn since it was parked.
    if (partition.trial.isDue(record.offset)) await admit(slot, record, epoch)
    else first(slot, record)
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
    log.warn({ err: error, partition: partition.partition, offset, attempt: nextAttempt - 1, waitMs }, 'attempt failed')
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
      return { record, outcome, entry: toEntry(record, rowWriter ? toRows(outcome.effect) : [], rowWriter) }
    } catch (error) {
      const dead = { kind: 'dead', stage: 'persist', disposition: 'non_retriable', attempts: 1, error } as const
      return { record, outcome: dead, entry: null }
    }
  }

  function hold(slot: Slot) {
    inFlight += 1
    if (slot.key !== null) busyKeys.set(slot.key, (busyKeys.get(slot.key) ?? 0) + 1)
  }

  function release(slot: Slot, epoch: number) {
    if (epoch !== partition.epoch) return
    inFlight -= 1
    const others = slot.key === null ? 0 : (busyKeys.get(slot.key) ?? 1) - 1
    if (slot.key !== null && others <= 0) busyKeys.delete(slot.key)
    else if (slot.key !== null) busyKeys.set(slot.key, others)
    partition.changed.wake()
  }

  function finish(slot: Slot, settled: SettledRecord | null) {
    if (settled && isHead(settled.record, settled.outcome)) hints.add(settled.record.key)
    slot.settled = settled
    // It is not written before the function goes on.
    if (brake.isHeld()) partition.trial.rest()
    onReady()
  }

  return {
    ready({ records, bytes }) {
      let size = 0
      let count = 0
      while (
        count < slots.length &&
        count < records &&
        slots[count]?.settled !== undefined &&
        (count === 0 || size < bytes)
      ) {
        size += slots[count]?.bytes ?? 0
        count += 1
      }
      return slots.slice(0, count) as ReadyStep[]
    },
    refuse(dead) {
      const [first] = slots
      if (first?.settled) first.settled = toSettled(first.settled.record, dead)
    },
    unpark(key) {
      for (const slot of slots) {
        const { settled } = slot
        if (!settled || !isParked(settled.outcome) || !settled.record.key?.equals(key)) continue
        slot.settled = undefined
        unparked.push({ slot, record: settled.record })
      }
      partition.changed.wake()
    },
    drop(count) {
      for (const slot of slots.splice(0, count)) bytesAhead -= slot.bytes
      partition.changed.wake()
    },
    reset() {
      slots = []
      unparked = []
      bytesAhead = 0
      inFlight = 0
      busyKeys.clear()
      partition.changed.wake()
    },
    close() {
      isClosed = true
      partition.changed.wake()
    },
    isBusy: () => attempting > 0,
    ended: run()
  }
}
