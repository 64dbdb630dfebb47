import type { Query } from './blocked-keys.ts'

/** Runs of records that came to the same: a reason, or null for those that did not die. The oldest first. */
export type Recent = readonly (readonly [reason: string | null, count: number])[]

interface Group {
  readonly groupId: string
  readonly topic: string
}

/** Locks what became of a group's last records, until the end of the transaction. */
export async function lockRecent(
  query: Query,
  { groupId, topic }: Group
): Promise<{ recent: Recent; isStopped: boolean }> {
  const text = `SELECT state, recent::text, details->'flood' IS NOT NULL AS is_flood FROM function_states
    WHERE group_id = $1 AND topic = $2 FOR UPDATE`
  let [row] = await query(text, [groupId, topic])
  if (!row) {
    await query('INSERT INTO function_states (group_id, topic) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      groupId,
      topic
    ])
    ;[row] = await query(text, [groupId, topic])
  }
  const recent = row?.recent == null ? [] : (JSON.parse(String(row.recent)) as Recent)
  return { recent, isStopped: row?.state === 'stopped' && row.is_flood === true }
}

/** Notes what became of a group's last records. */
export async function writeRecent(query: Query, { groupId, topic }: Group, recent: Recent): Promise<void> {
  await query('UPDATE function_states SET recent = $3::text::json WHERE group_id = $1 AND topic = $2', [
    groupId,
    topic,
    JSON.stringify(recent)
  ])
}
