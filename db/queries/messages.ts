import type { Sql } from 'postgres'
import { createItemWriter, type ItemRow, json, plain, text, time, toColumns } from './item.ts'
import { createList, type Filters, type Page, type PageRequest, rangeOf } from './list.ts'

/** A message as the API gives it. */
export const MESSAGE_ITEM = {
  id: plain('id'),
  topic: text('topic'),
  partition: json('partition'),
  offset: plain('"offset"'),
  key: text('key'),
  value: json('value'),
  headers: json('headers'),
  timestamp: time('"timestamp"'),
  receivedAt: time('received_at')
}

/** Reads of `messages`. What they give is JSON text. */
export function createMessageQueries(sql: Sql) {
  const columns = toColumns(MESSAGE_ITEM)
  const write = createItemWriter(MESSAGE_ITEM)
  const list = createList(sql, {
    table: 'messages',
    time: '"timestamp"',
    topic: 'topic',
    item: MESSAGE_ITEM,
    large: ['octet_length(value::text)', 'octet_length(headers::text)'],
    filters: { topic: 'topic = ?', key: 'key = ?', partition: 'partition = ?::int', ...rangeOf('"timestamp"') }
  })

  return {
    /** Filters: `topic`, `key`, `partition`, `from`, `to`. */
    list: (filters: Filters, page: PageRequest): Promise<Page> => list(filters, page),

    /** Gives a message of any topic, or of one; undefined when no such event is settled. */
    async findById(id: string, { topic }: { topic?: string | undefined } = {}): Promise<string | undefined> {
      const [row] = topic === undefined ? await findAnywhere(id) : await findInTopic(id, topic)
      return row && write(row)
    }
  }

  function findInTopic(id: string, topic: string) {
    const text = `SELECT ${columns} FROM messages WHERE topic = $1 AND id = $2::uuid`
    return sql.unsafe<ItemRow[]>(text, [topic, id], { prepare: true })
  }

  // The key begins with the topic: each topic there is gets one look, found by jumping through the index, until the first
  // that has the id. The inner limit keeps it so: joined by a hash, the whole index would be searched for the id.
  function findAnywhere(id: string) {
    return sql.unsafe<ItemRow[]>(
      `WITH RECURSIVE found(name) AS (
        (SELECT topic FROM messages ORDER BY topic LIMIT 1)
        UNION ALL
        SELECT (SELECT topic FROM messages WHERE topic > found.name ORDER BY topic LIMIT 1)
        FROM found WHERE found.name IS NOT NULL)
      SELECT ${columns} FROM found CROSS JOIN LATERAL
        (SELECT * FROM messages WHERE topic = found.name AND id = $1::uuid LIMIT 1) AS message
      LIMIT 1`,
      [id],
      { prepare: true }
    )
  }
}
