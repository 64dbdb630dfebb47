import { createHash } from 'node:crypto'
import type { Sql } from 'postgres'
import type { BenchEvent } from './events.ts'
import type { RowLooks } from './measure-drain.ts'

interface Rows {
  readonly messages: number
  readonly activities: number
}

/**
 * Builds the looks for events of some topics, among rows that are there already.
 *
 * @param topics events by topic, in the order in which each partition has them; of both tables the newest ids
 * @param options.warmShare of the events, from 0 to 1: they have not started before so many are there. Default: 0
 */
export async function createRowLooks(
  sql: Sql,
  topics: ReadonlyMap<string, readonly BenchEvent[]>,
  { warmShare = 0 }: { readonly warmShare?: number } = {}
): Promise<RowLooks> {
  const all = [...topics].flatMap(([topic, events]) => events.map(event => ({ ...event, topic })))
  const events = all.length
  const firstId = all.reduce((least, { id }) => (id < least ? id : least), all[0]?.id ?? '')
  const last = [...new Map(all.map(({ topic, partition, id }) => [`${partition} ${topic}`, { topic, id }])).values()]
  const lastText = JSON.stringify(last)
  const names = [...topics.keys()]
  const before = await countAll()
  // Nothing is old: a look at the whole table is cheaper than one at an index.
  const isEmpty = before.messages === 0 && before.activities === 0
  const areNew = isEmpty ? sql`true` : sql`id >= ${firstId}`

  async function countAll(): Promise<Rows> {
    const [row] = await sql`
      SELECT (SELECT count(*) FROM messages)::int AS messages, (SELECT count(*) FROM user_activities)::int AS activities`
    return { messages: Number(row?.messages), activities: Number(row?.activities) }
  }

  async function count(): Promise<number> {
    const [row] = await sql`
      SELECT (SELECT count(*) FROM messages WHERE topic IN ${sql(names)} AND ${areNew})::int AS messages,
        (SELECT count(*) FROM user_activities WHERE ${areNew})::int AS activities`
    return (Number(row?.messages) + Number(row?.activities)) / 2
  }

  /** Compares what both tables say of each event with what was sent. */
  async function findWrong(): Promise<string | null> {
    const found = await sql`
      SELECT id::text, md5(concat_ws(E'\\n', topic, partition, key, value::text, user_id, action,
        to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))) AS hash
      FROM messages JOIN user_activities USING (id) WHERE topic IN ${sql(names)} AND ${areNew}`
    const hashes = new Map(found.map(({ id, hash }) => [id, hash]))
    const wrong = all.filter(event => hashes.get(event.id) !== hashOf(event))
    return wrong.length === 0 ? null : `${wrong.length} of ${events} not as they were sent, one is ${wrong[0]?.id}`
  }

  return {
    events,
    count,

    async haveStarted() {
      const [row] = await sql`
        SELECT bool_and(EXISTS (SELECT FROM messages AS message WHERE message.topic = name AND ${areNew}))
          AND EXISTS (SELECT FROM user_activities WHERE ${areNew}) AS started
        FROM json_array_elements_text(${JSON.stringify(names)}::text::json) AS name`
      return row?.started === true && (warmShare === 0 || (await count()) >= events * warmShare)
    },

    async areDone() {
      // The last event of each partition first: nobody changes their order.
      const [row] = await sql`
        SELECT count(message.id)::int AS messages, count(activity.id)::int AS activities
        FROM json_to_recordset(${lastText}::text::json) AS last(topic text, id uuid)
          LEFT JOIN messages AS message USING (topic, id) LEFT JOIN user_activities AS activity USING (id)`
      return row?.messages === last.length && row.activities === last.length && (await count()) === events
    },

    async findFlaw() {
      const { messages, activities } = await countAll()
      const [row] = await sql`
        SELECT count(*)::int AS both FROM messages JOIN user_activities USING (id)
        WHERE topic IN ${sql(names)} AND ${areNew}`
      const rows = {
        messages: messages - before.messages,
        activities: activities - before.activities,
        both: Number(row?.both)
      }
      const isWhole = Object.values(rows).every(count => count === events)
      return isWhole ? findWrong() : `${JSON.stringify(rows)} of ${events}`
    }
  }
}

/** Of what the tables are to say of an event, as the SQL above makes it. */
function hashOf({ topic, partition, key, value }: BenchEvent & { readonly topic: string }): string {
  const { userId, action, timestamp } = JSON.parse(value)
  const text = [topic, partition, key, value, userId, action, timestamp].join('\n')
  return createHash('md5').update(text).digest('hex')
}
