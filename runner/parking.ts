import { createHash } from 'node:crypto'
import { blockKeys, lockBlockedKeys } from '../db/queries/blocked-keys.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import type { IdentifiedRecord } from '../sdk/record.ts'
import type { Dead } from '../sdk/settle-record.ts'
import { runnerErrors } from './errors.ts'
import type { DeadRecord, SettledRecord } from './settled.ts'

/** Which keys are blocked, as the transaction that asks sees it; no other can change that before its end. */
export interface Parking {
  isBlocked(record: Pick<IdentifiedRecord, 'key'>): boolean
  /** Parks a record of a blocked key, whatever was made of it. @throws SMG_RUNNER_UNPARKED for one that was parked too early */
  sort(item: SettledRecord): SettledRecord
  /** Blocks the keys of dead letters that are new: `fresh` has their event ids. */
  block(dead: readonly DeadRecord[], fresh: ReadonlySet<string>): Promise<void>
}

// A dead letter holds nothing back.
const OFF: Parking = { isBlocked: () => false, sort: item => item, block: async () => undefined }

/** Opens the parking of a transaction for the records that it is about to settle. */
export async function openParking(
  tx: WriteTransaction,
  records: readonly Pick<IdentifiedRecord, 'key'>[],
  { groupId, ordering }: { groupId: string; ordering: 'partition' | 'key' }
): Promise<Parking> {
  if (ordering === 'partition') return OFF
  const hashes = new Set(records.flatMap(({ key }) => (key ? hashOf(key) : [])))
  const blocked = new Set(await lockBlockedKeys(tx.query, groupId, [...hashes]))
  const isBlocked: Parking['isBlocked'] = ({ key }) => key !== null && blocked.has(hashOf(key))

  return {
    isBlocked,
    sort(item) {
      const { record, outcome } = item
      const isBehind = isBlocked(record)
      if (isParked(outcome) && !isBehind)
        throw Object.assign(new runnerErrors.SMG_RUNNER_UNPARKED(), { key: record.key })
      return isBehind ? { record, outcome: toParked(), entry: null } : item
    },
    async block(dead, fresh) {
      const heads = dead.filter(({ record, reason }) => fresh.has(record.id) && isHead(record, reason))
      const keys = new Set(heads.flatMap(({ record: { key } }) => (key ? hashOf(key) : [])))
      for (const hash of keys) blocked.add(hash)
      await blockKeys(tx.query, groupId, [...keys])
    }
  }
}

/** The outcome of a record that waits behind a dead letter of its key. */
export function toParked(): Dead {
  const error = new runnerErrors.SMG_RUNNER_PARKED()
  return { kind: 'dead', stage: 'handle', disposition: 'parked_behind_key', attempts: 0, error }
}

/** Whether a record waits behind a dead letter of its key. */
export function isParked(outcome: { readonly kind: string; readonly disposition?: string }): boolean {
  return outcome.kind === 'dead' && outcome.disposition === 'parked_behind_key'
}

/** The key of a record that a transaction met parked, and that need not be any more; null for any other error. */
export function unparkedKey(error: unknown): Buffer | null {
  const { code, key } = (error ?? {}) as { code?: unknown; key?: Buffer | null }
  return code === 'SMG_RUNNER_UNPARKED' && key ? key : null
}

/** Whether later records of its key wait behind this outcome. Records without a key never wait. */
export function isHead(
  { key }: Pick<IdentifiedRecord, 'key'>,
  outcome: { readonly kind: string; readonly disposition?: string }
): boolean {
  return key !== null && outcome.kind === 'dead' && !isParked(outcome)
}

/** SHA-256 in hex, as `blocked_keys` has it. */
function hashOf(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex')
}

/** What a runner believes about blocked keys before a transaction tells: it spares calls of `handle`, and decides nothing. */
export interface KeyHints {
  has(key: Buffer | null): boolean
  add(key: Buffer | null): void
  /** Nothing of this key is parked. */
  forget(key: Buffer): void
  /** Takes over what PostgreSQL has. */
  refresh(hashes: Iterable<string>): void
}

/** How long a hint of our own stands without PostgreSQL confirming it: longer than a cycle that has to wait a little. */
const UNCONFIRMED_MS = 10_000

/** Builds the hints of one function; they are empty for `ordering: 'partition'`. */
export function createKeyHints(ordering: 'partition' | 'key', nowMs = () => performance.now()): KeyHints {
  if (ordering === 'partition')
    return { has: () => false, add: () => undefined, forget: () => undefined, refresh: () => undefined }
  let known = new Set<string>()
  const own = new Map<string, number>()

  return {
    has(key) {
      if (key === null || (known.size === 0 && own.size === 0)) return false
      const hash = hashOf(key)
      return known.has(hash) || own.has(hash)
    },
    add(key) {
      if (key !== null) own.set(hashOf(key), nowMs())
    },
    forget(key) {
      known.delete(hashOf(key))
      own.delete(hashOf(key))
    },
    refresh(hashes) {
      known = new Set(hashes)
      for (const [hash, sinceMs] of own) if (known.has(hash) || nowMs() - sinceMs > UNCONFIRMED_MS) own.delete(hash)
    }
  }
}
