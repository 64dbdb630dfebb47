import t from 'tap'
import { createAssignedPartition } from '../../runner/assigned-partition.ts'
import { CYCLE_LIMIT, collectShares, toAttemptLimits, toLimits } from '../../runner/row-cycles.ts'
import type { SettleAhead } from '../../runner/settle-ahead.ts'
import type { ReadyStep } from '../../runner/slots.ts'

/** A partition of which `count` steps of `bytes` each are ready. */
function handled(partition: number, count: number, bytes = 100) {
  const owned = createAssignedPartition({ partition, nextOffset: 10n, topicId: null })
  const steps = Array.from({ length: count }, (_, index) => ({ settled: null, next: 11n + BigInt(index), bytes }))
  const ahead = {
    ready: ({ records }: { records: number }) => steps.slice(0, records) as ReadyStep[]
  } as unknown as SettleAhead
  return { owned, ahead }
}

function counts(shares: ReturnType<typeof collectShares>) {
  return Object.fromEntries(shares.map(({ owned, steps }) => [owned.partition, steps.length]))
}

t.test('takes all that is ready when it fits', async t => {
  const shares = collectShares([handled(0, 3), handled(1, 0), handled(2, 1)])

  t.strictSame(counts(shares), { 0: 3, 2: 1 }, 'a partition without steps has no share')
  t.match(
    shares.find(({ owned }) => owned.partition === 0),
    { expected: 10n, next: 13n }
  )
})

t.test('gives each partition an equal share, and what one leaves to the others', async t => {
  t.strictSame(counts(collectShares([handled(0, 900), handled(1, 900), handled(2, 100)])), { 0: 450, 1: 450, 2: 100 })
  t.strictSame(counts(collectShares([handled(0, 5_000)])), { 0: CYCLE_LIMIT.records })
  t.strictSame(counts(collectShares([handled(0, 700), handled(1, 700), handled(2, 700)])), { 0: 334, 1: 333, 2: 333 })
})

t.test('shares bytes as well', async t => {
  const half = CYCLE_LIMIT.bytes / 2

  t.strictSame(counts(collectShares([handled(0, 500, half / 100), handled(1, 500, 1)])), { 0: 100, 1: 500 })
  t.strictSame(counts(collectShares([handled(0, 10, half), handled(1, 10, half)])), { 0: 1, 1: 1 })
})

t.test('a record that is larger than a cycle goes all the same, one at a time', async t => {
  const huge = CYCLE_LIMIT.bytes * 3

  t.strictSame(counts(collectShares([handled(0, 3, huge)])), { 0: 1 })
  t.strictSame(counts(collectShares([handled(0, 3, huge), handled(1, 3, huge), handled(2, 3, huge)])), {
    0: 1,
    1: 1,
    2: 1
  })
})

t.test('leaves out what another member owns', async t => {
  const lost = handled(0, 3)
  lost.owned.revoke()

  t.strictSame(counts(collectShares([lost, handled(1, 3)])), { 1: 3 })
})

t.test('rule 8: lets locks go before another member can own the partitions', async t => {
  for (const sessionTimeoutMs of [1_000, 6_000, 10_000, 45_000, 300_000]) {
    const { lockTimeoutMs, idleTimeoutMs } = toLimits(sessionTimeoutMs)
    t.ok(idleTimeoutMs <= Math.max(1_000, sessionTimeoutMs / 2) && idleTimeoutMs >= 1_000)
    t.ok(lockTimeoutMs <= Math.max(1_000, sessionTimeoutMs / 2))
  }
})

t.test('rule 8: PostgreSQL ends no statement of an attempt before the attempt is out of time', async t => {
  const limits = toAttemptLimits(toLimits(45_000), 60_000)

  t.ok(limits.statementTimeoutMs > 60_000)
  t.ok(limits.idleTimeoutMs > 60_000)
  t.match(toAttemptLimits(toLimits(45_000), 5_000), { statementTimeoutMs: 30_000, idleTimeoutMs: 10_000 })
})

t.test('rule 16: PostgreSQL gives a lock up before an attempt that waits for it is out of time', async t => {
  for (const [timeoutMs, lockTimeoutMs] of [
    [10_000, 5_000],
    [3_001, 1_500],
    [60_000, 10_000],
    [5, 500]
  ] as const)
    t.match(toAttemptLimits(toLimits(45_000), timeoutMs), { lockTimeoutMs })
})
