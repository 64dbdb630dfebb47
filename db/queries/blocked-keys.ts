import type { WriteTransaction } from '../write-transaction.ts'

/** Of a write transaction, or of any other that runs prepared statements. */
export type Query = WriteTransaction['query']

/** SHA-256 hashes of keys, in hex, as `sha256(key)` gives them. */
type Hashes = readonly string[]

const GIVEN = `(SELECT decode(hash, 'hex') FROM json_array_elements_text($2::text::json) AS given(hash))`

/**
 * Gives those of some keys behind which records are parked, and keeps them so until the end of the transaction: a
 * redrive that settles the last of a key meanwhile waits, and then sees what was parked.
 */
export async function lockBlockedKeys(query: Query, groupId: string, hashes: Hashes): Promise<ReadonlySet<string>> {
  if (hashes.length === 0) return new Set()
  const rows = await query(
    `SELECT encode(key_hash, 'hex') AS hash FROM blocked_keys WHERE group_id = $1 AND key_hash IN ${GIVEN}
     ORDER BY key_hash FOR SHARE`,
    [groupId, JSON.stringify(hashes)]
  )
  return new Set(rows.map(row => String(row.hash)))
}

/**
 * Holds the blocked keys of some dead letters until the end of the transaction: call it before the states of a key are
 * looked at or changed, in another statement. `SHARE` for whoever only looks at what goes before, and waits for nobody
 * but who changes it; `UPDATE` for who lets a head go or makes one. Always in one call, and behind any lock of a
 * position: cycles lock both in this order too.
 */
export async function lockKeysOf(query: Query, ids: readonly string[], mode: 'SHARE' | 'UPDATE'): Promise<void> {
  if (ids.length === 0) return
  await query(
    `SELECT FROM blocked_keys AS blocked WHERE (group_id, key_hash) IN (
       SELECT dead.group_id, sha256(dead.key) FROM dead_letters AS dead
       WHERE dead.id IN (SELECT id::uuid FROM json_array_elements_text($1::text::json) AS given(id)))
     ORDER BY group_id, key_hash FOR ${mode} OF blocked`,
    [JSON.stringify(ids)]
  )
}

/** Makes later records of these keys park. Only the owner of their partition may, while it holds the position's lock. */
export async function blockKeys(query: Query, groupId: string, hashes: Hashes): Promise<void> {
  if (hashes.length === 0) return
  await query(
    `INSERT INTO blocked_keys (group_id, key_hash) SELECT $1, key_hash FROM ${GIVEN} AS given(key_hash)
     ORDER BY key_hash ON CONFLICT DO NOTHING`,
    [groupId, JSON.stringify(hashes)]
  )
}

/**
 * Lets go what no dead letter holds back any more: call it in the transaction that resolved or discarded dead letters
 * of these keys, last of all. Parked records whose head is gone are redriven; a key without any goes on as before.
 */
export async function releaseKeys(query: Query, groupId: string, hashes: Hashes): Promise<void> {
  if (hashes.length === 0) return
  // Waits for cycles that park right now; what they parked is seen by the statements after it.
  const rows = await query(
    `SELECT encode(key_hash, 'hex') AS hash FROM blocked_keys WHERE group_id = $1 AND key_hash IN ${GIVEN}
     ORDER BY key_hash FOR UPDATE`,
    [groupId, JSON.stringify(hashes)]
  )
  const locked = JSON.stringify(rows.map(row => String(row.hash)))
  if (rows.length === 0) return

  await query(
    `WITH head AS MATERIALIZED (
       SELECT DISTINCT ON (sha256(key)) sha256(key) AS hash, partition, "offset" AS at FROM dead_letters
       WHERE group_id = $1 AND key IS NOT NULL AND sha256(key) IN ${GIVEN}
         AND state = 'dead' AND disposition <> 'parked_behind_key'
       ORDER BY sha256(key), dead_letters.partition, dead_letters."offset")
     UPDATE dead_letters AS parked SET state = 'redriving'
     WHERE group_id = $1 AND key IS NOT NULL AND sha256(key) IN ${GIVEN}
       AND state = 'dead' AND disposition = 'parked_behind_key'
       AND NOT EXISTS (SELECT FROM head
         WHERE head.hash = sha256(parked.key) AND (head.partition, head.at) < (parked.partition, parked."offset"))`,
    [groupId, locked]
  )
  await query(
    `DELETE FROM blocked_keys WHERE group_id = $1 AND key_hash IN ${GIVEN}
       AND key_hash NOT IN (SELECT sha256(key) FROM dead_letters WHERE group_id = $1 AND key IS NOT NULL
         AND sha256(key) IN ${GIVEN} AND state IN ('dead', 'redriving'))`,
    [groupId, locked]
  )
}
