import type { IdentifiedRecord } from '../sdk/record.ts'
import { createKeyCounts } from './key-counts.ts'
import { isParked } from './parking.ts'
import type { SettledRecord } from './settled.ts'

const MAX_RECORDS = 1_000
const MAX_BYTES = 8 * 1024 * 1024

/** A step of a partition that can be written. */
export interface ReadyStep {
  /** Null for the end of a batch that held nothing to handle. */
  readonly settled: SettledRecord | null
  /** The position once this step is written. */
  readonly next: bigint
  readonly bytes: number
}

/** The place of a record between those before and behind it. */
export interface Slot {
  readonly next: bigint
  readonly bytes: number
  readonly key: string | null
  /** Undefined until it is ready. */
  settled: SettledRecord | null | undefined
}

/** A record whose handling is to begin. */
export interface Taken {
  readonly slot: Slot
  readonly record: IdentifiedRecord | null
}

/** The records of one partition that are being handled, or wait to be written, in order. */
export interface Slots {
  /** Whether no further record may be opened; `isAlone` allows one. */
  isFull(isAlone: boolean): boolean
  open(slot: Pick<Slot, 'next' | 'bytes' | 'key'>): Slot
  settle(slot: Slot, settled: SettledRecord | null): void
  first(): Slot | undefined
  /** The leading steps that can be written, `limit` records and bytes at most, but one in any case. */
  ready(limit: { records: number; bytes: number }): readonly ReadyStep[]
  /** Whether a record of its key is parked here, and not written yet. */
  isParked(record: IdentifiedRecord): boolean
  /** Makes the parked records of a key records to be handled. */
  unpark(key: Buffer): void
  /** The next one of those, in order. */
  nextUnparked(): Taken | undefined
  /** Removes the first ones. */
  drop(count: number): void
  clear(): void
}

/** Builds the slots of a partition. */
export function createSlots(): Slots {
  const parkedKeys = createKeyCounts()
  let slots: Slot[] = []
  let unparked: Taken[] = []
  let bytes = 0

  function forgetParked({ settled }: Slot) {
    if (settled && isParked(settled.outcome)) parkedKeys.remove(keyOf(settled.record))
  }

  return {
    // Those that are not parked any more have their slots.
    isFull: isAlone => unparked.length === 0 && (slots.length >= (isAlone ? 1 : MAX_RECORDS) || bytes >= MAX_BYTES),
    open({ next, bytes: size, key }) {
      const slot = { next, bytes: size, key, settled: undefined }
      slots.push(slot)
      bytes += size
      return slot
    },
    settle(slot, settled) {
      forgetParked(slot)
      if (settled && isParked(settled.outcome)) parkedKeys.add(keyOf(settled.record))
      slot.settled = settled
    },
    first: () => slots[0],
    ready(limit) {
      let size = 0
      let count = 0
      while (
        count < slots.length &&
        count < limit.records &&
        slots[count]?.settled !== undefined &&
        (count === 0 || size < limit.bytes)
      ) {
        size += slots[count]?.bytes ?? 0
        count += 1
      }
      return slots.slice(0, count) as ReadyStep[]
    },
    isParked: record => !parkedKeys.isEmpty() && parkedKeys.has(keyOf(record)),
    unpark(key) {
      for (const slot of slots) {
        const { settled } = slot
        if (!settled || !isParked(settled.outcome) || !settled.record.key?.equals(key)) continue
        forgetParked(slot)
        slot.settled = undefined
        unparked.push({ slot, record: settled.record })
      }
    },
    nextUnparked: () => unparked.shift(),
    drop(count) {
      for (const slot of slots.splice(0, count)) {
        bytes -= slot.bytes
        forgetParked(slot)
      }
    },
    clear() {
      slots = []
      unparked = []
      bytes = 0
      parkedKeys.clear()
    }
  }
}

/** A key as text, byte for byte; null without one. */
export function keyOf({ key }: IdentifiedRecord): string | null {
  return key?.toString('latin1') ?? null
}
