import type { Sql } from 'postgres'
import { createList, type Filters, isoText, type Page, type PageRequest, rangeOf } from './list.ts'

const ITEM = `json_build_object('id', id, 'topic', topic, 'partition', partition, 'offset', "offset"::text, 'key', key,
  'value', value, 'headers', headers, 'timestamp', ${isoText('"timestamp"')}, 'receivedAt', ${isoText('received_at')})`

/** Reads of `messages`. What they give is JSON text. */
export function createMessageQueries(sql: Sql) {
  const list = createList(sql, {
    table: 'messages',
    time: '"timestamp"',
    topic: 'topic',
    item: ITEM,
    bytes: 'octet_length(value::text) + octet_length(headers::text)',
    filters: { topic: 'topic = ?', key: 'key = ?', partition: 'partition = ?::int', ...rangeOf('"timestamp"') }
  })

  return {
    /** Filters: `topic`, `key`, `partition`, `from`, `to`. */
    list: (filters: Filters, page: PageRequest): Promise<Page> => list(filters, page),

    /** Gives a message of any topic, or of one; undefined when no such event is settled. */
    async findById(id: string, { topic }: { topic?: string | undefined } = {}): Promise<string | undefined> {
      const [row] = topic === undefined ? await findAnywhere(id) : await findInTopic(id, topic)
      return row?.item
    }
  }

  function findInTopic(id: string, topic: string) {
    return sql.unsafe(`SELECT ${ITEM}::text AS item FROM messages WHERE topic = $1 AND id = $2::uuid`, [topic, id], {
      prepare: true
    })
  }

  // The key begins with the topic: each topic there is gets one look, found by jumping through the index.
  function findAnywhere(id: string) {
    return sql.unsafe(
      `WITH RECURSIVE found(name) AS (
        (SELECT topic FROM messages ORDER BY topic LIMIT 1)
        UNION ALL
        SELECT (SELECT topic FROM messages WHERE topic > found.name ORDER BY topic LIMIT 1)
        FROM found WHERE found.name IS NOT NULL)
      SELECT ${ITEM}::text AS item FROM found JOIN messages ON topic = found.name WHERE id = $1::uuid
      ORDER BY topic LIMIT 1`,
      [id],
      { prepare: true }
    )
  }
}
