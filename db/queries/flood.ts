import type { Query } from './blocked-keys.ts'

/** Runs of records that came to the same: a reason, or null for those that did not die. The oldest first. */
export type Runs = readonly (readonly [reason: string | null, count: number])[]

/** What became of a group's last records. */
export interface Recent {
  /** Records of the group that did not die, as its counters had them when this was noted. */
  readonly counted: number
  readonly runs: Runs
}

interface Group {
  readonly groupId: string
  readonly topic: string
}

/**
 * Whether a row of `function_states` is a stop by a flood, as SQL. One with `probe` is none any more: the function was
 * resumed, and what stops its first record is a fault of ours.
 *
 * @param row name of the row
 */
export function isFloodStop(row = 'function_states'): string {
  const [state, details] = [`${row}.state`, `${row}.details`]
  return `(${state} = 'stopped' AND ${details}->'flood' IS NOT NULL AND ${details}->'probe' IS NULL)`
}

/**
 * Locks what became of a group's last records, until the end of the transaction.
 *
 * @returns also how many did not die so far, whichever runner settled them
 */
export async function lockRecent(
  query: Query,
  { groupId, topic }: Group
): Promise<{ recent: Recent; settled: number; isStopped: boolean }> {
  const text = `SELECT CASE json_typeof(recent) WHEN 'object' THEN recent::text END AS recent, ${isFloodStop()} AS is_stopped
    FROM function_states WHERE group_id = $1 AND topic = $2 FOR UPDATE`
  let [row] = await query(text, [groupId, topic])
  if (!row) {
    await query('INSERT INTO function_states (group_id, topic) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      groupId,
      topic
    ])
    ;[row] = await query(text, [groupId, topic])
  }
  // Without a note, all that was settled so far went well.
  const recent = row?.recent == null ? { counted: 0, runs: [] } : (JSON.parse(String(row.recent)) as Recent)
  // Behind the lock, and on its own: only so it sees what those who had the lock before settled.
  const [counters] = await query(
    `SELECT coalesce(sum(message_count + duplicate_count), 0)::float8 AS settled FROM topic_status
     WHERE group_id = $1 AND topic = $2`,
    [groupId, topic]
  )
  return { recent, settled: Number(counters?.settled), isStopped: row?.is_stopped === true }
}

/** Notes what became of a group's last records. */
export async function writeRecent(query: Query, { groupId, topic }: Group, recent: Recent): Promise<void> {
  await query('UPDATE function_states SET recent = $3::text::json WHERE group_id = $1 AND topic = $2', [
    groupId,
    topic,
    JSON.stringify(recent)
  ])
}
