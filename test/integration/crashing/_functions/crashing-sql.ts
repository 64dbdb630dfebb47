import { sql } from 'drizzle-orm'
import { defineFunction, Type } from 'smg-kafka'
import { poison } from '../poison.ts'

/** Writes with SQL of its own, unless its event ends the process, in the middle of its transaction. */
export default defineFunction({
  event: Type.Object({ n: Type.Integer(), how: Type.Optional(Type.String()) }),
  partitions: 1,
  maxAttempts: 2,
  timeoutMs: 2_000,
  handle: async ({ event, id }, { tx }) => {
    await tx.execute(sql`INSERT INTO crashing_sql (id, n) VALUES (${id}, ${event.n})`)
    await poison(event.how)
  }
})
