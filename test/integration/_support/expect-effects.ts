import type { Sql } from 'postgres'
import type { Test } from 'tap'

interface Expected {
  /** With `id`, `account`, `n` and `sequence`. */
  readonly table: 'transfers' | 'payments'
  /** Ids of events. */
  readonly accepted: readonly string[]
}

/** Checks what a function of the tests did: each accepted event once, those of an account in order. */
export async function expectEffects(t: Test, sql: Sql, { table, accepted }: Expected): Promise<void> {
  t.strictSame(
    (await sql`SELECT id::text AS id FROM ${sql(table)} ORDER BY id`).map(({ id }) => id),
    accepted.toSorted(),
    'each effect once'
  )
  const byAccount =
    await sql`SELECT account, array_to_json(array_agg(n ORDER BY sequence))::text AS ns FROM ${sql(table)} GROUP BY account`
  for (const { account, ns } of byAccount) {
    const numbers: number[] = JSON.parse(ns)
    t.strictSame(
      numbers,
      numbers.toSorted((a, b) => a - b),
      `${account} in order`
    )
  }
}
