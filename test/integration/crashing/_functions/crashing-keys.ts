import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { defineFunction, Type } from 'smg-kafka'
import { poison } from '../poison.ts'

const crashingKeys = pgTable('crashing_keys', { id: uuid().primaryKey(), key: text(), n: integer() })

/** Gives a row, unless its event ends the process; its partitions have each their own head. */
export default defineFunction({
  event: Type.Object({ key: Type.String(), n: Type.Integer(), how: Type.Optional(Type.String()) }),
  key: event => event.key,
  table: crashingKeys,
  partitions: 3,
  maxAttempts: 2,
  timeoutMs: 5_000,
  handle: async ({ event: { key, n, how } }) => {
    await poison(how)
    return { key, n }
  }
})
