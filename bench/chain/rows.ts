import type { Chain } from './start-chain.ts'

/** What a chain has written so far. */
export interface RowCounts {
  readonly messages: number
  readonly activities: number
  /** Events that are in both tables. */
  readonly both: number
  readonly deadLetters: number
}

/** Counts by SQL; what the system writes of itself is not counted. */
export async function countRows({ sql }: Pick<Chain, 'sql'>): Promise<RowCounts> {
  const [row] = await sql`
    SELECT (SELECT count(*) FROM messages WHERE topic = 'user-activities')::int AS messages,
      (SELECT count(*) FROM user_activities)::int AS activities,
      (SELECT count(*) FROM messages JOIN user_activities USING (id) WHERE topic = 'user-activities')::int AS both,
      (SELECT count(*) FROM dead_letters)::int AS "deadLetters"`
  return row as unknown as RowCounts
}

/** Says what is wrong when not each of `events` came in once since `before`; null when all is well. */
export async function findFault(chain: Pick<Chain, 'sql'>, events: number, before: RowCounts): Promise<string | null> {
  const after = await countRows(chain)
  const grown = {
    messages: after.messages - before.messages,
    activities: after.activities - before.activities,
    both: after.both - before.both,
    deadLetters: after.deadLetters - before.deadLetters
  }
  const isWhole = [grown.messages, grown.activities, grown.both].every(count => count === events)
  return isWhole && grown.deadLetters === 0 ? null : `${events} events acknowledged, ${JSON.stringify(grown)} new`
}

/** Counts events that the chain's function has settled, from its positions: cheap, whatever the tables hold. */
export async function countSettled({ sql, groupId }: Pick<Chain, 'sql' | 'groupId'>): Promise<number> {
  const [row] = await sql`SELECT coalesce(sum(message_count), 0)::int AS count FROM topic_status
    WHERE group_id = ${groupId}`
  return row?.count
}
