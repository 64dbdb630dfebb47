import { integer, pgTable, uuid } from 'drizzle-orm/pg-core'
import { defineFunction, Type } from 'smg-kafka'
import { poison } from '../poison.ts'

const crashingRows = pgTable('crashing_rows', { id: uuid().primaryKey(), n: integer() })

/** Gives a row, unless its event ends the process. */
export default defineFunction({
  event: Type.Object({ n: Type.Integer(), how: Type.Optional(Type.String()) }),
  table: crashingRows,
  partitions: 1,
  maxAttempts: 2,
  timeoutMs: 2_000,
  handle: async ({ event }) => {
    await poison(event.how)
    return { n: event.n }
  }
})
