import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createGate } from '../../runner/gate.ts'
import { createWriterPool } from '../../runner/writer-pool.ts'
import { createTestDatabase } from '../_support/database.ts'

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const { databaseUrl, sql } = await createTestDatabase(t)
const pool = createWriterPool(databaseUrl, { size: 1, applicationName: 'test-pool' })
t.teardown(() => pool.close())

t.test('rule 14: waits for its place before the transaction begins, and gives it back', async t => {
  const entry = createGate(1)
  await pool.transaction(async () => undefined, LIMITS)
  entry.enter()
  let hasBegun = false

  const done = pool.transaction(
    async () => {
      hasBegun = true
    },
    LIMITS,
    entry
  )
  await sleep(100)
  const open = await sql`SELECT 1 FROM pg_stat_activity WHERE application_name = 'test-pool' AND xact_start IS NOT NULL`
  t.strictSame([hasBegun, open.length], [false, 0])
  entry.leave()
  await done

  t.equal(hasBegun, true)
  t.equal(entry.isFull(), false)
  await t.rejects(
    pool.transaction(async () => Promise.reject(new Error('failed')), LIMITS, entry),
    { message: 'failed' }
  )
  t.equal(entry.isFull(), false, 'after a failure too')
})
