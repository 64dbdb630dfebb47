import { sql } from 'drizzle-orm'
import { defineFunction, Type } from 'smg-kafka'

/** Fails while the tests say that a supplier is away; a dead letter holds back its account. */
export default defineFunction({
  event: Type.Object({ account: Type.String(), n: Type.Integer() }),
  key: event => event.account,
  ordering: 'key',
  maxAttempts: 1,
  handle: async ({ event, id }, { tx }) => {
    const [supplier] = await tx.execute(sql`SELECT is_away FROM suppliers`)
    if (supplier?.is_away && event.n % 10 === 0) throw new Error('the supplier is away')
    await tx.execute(sql`INSERT INTO payments (id, account, n) VALUES (${id}, ${event.account}, ${event.n})`)
  }
})
