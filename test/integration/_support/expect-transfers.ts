import type { Sql } from 'postgres'
import type { Test } from 'tap'

/** Checks what the function `transfers` of the tests did: each accepted event once, those of an account in order. */
export async function expectTransfers(t: Test, sql: Sql, accepted: readonly string[]): Promise<void> {
  t.strictSame(
    (await sql`SELECT id::text AS id FROM transfers ORDER BY id`).map(({ id }) => id),
    accepted.toSorted()
  )
  const byAccount =
    await sql`SELECT account, array_to_json(array_agg(n ORDER BY sequence))::text AS ns FROM transfers GROUP BY account`
  for (const { account, ns } of byAccount) {
    const numbers: number[] = JSON.parse(ns)
    t.strictSame(
      numbers,
      numbers.toSorted((a, b) => a - b),
      `${account} in order`
    )
  }
}
