import { sql } from 'drizzle-orm'
import { defineFunction, Type } from 'smg-kafka'

/** Writes with SQL of its own, and publishes: the tests make its table. */
export default defineFunction({
  event: Type.Object({ account: Type.String(), n: Type.Integer(), fail: Type.Optional(Type.Boolean()) }),
  key: event => event.account,
  backoffMs: { min: 10, max: 50 },
  handle: async ({ event, id }, { tx, publish, attempt }) => {
    await tx.execute(sql`INSERT INTO transfers (id, account, n) VALUES (${id}, ${event.account}, ${event.n})`)
    publish('bookings', { account: event.account, n: event.n })
    if (event.fail && attempt < 2) throw new Error('not yet')
  }
})
