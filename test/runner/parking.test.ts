import { sql as statement } from 'drizzle-orm'
import t from 'tap'
import { Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, fetched, PLACE } from './_support/records.ts'

const event = Type.Object({ n: Type.Number(), breaks: Type.Optional(Type.Boolean()) })
const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const database = await createTestDatabase(t)
const { sql } = database
await sql`CREATE TABLE effects (n int, at serial)`

/** Fails for events that break, or whose number is broken; a `kind` of its own writes effects in a transaction. */
function define(kind: 'inbox' | 'transaction', calls: number[], broken: ReadonlySet<number>): LoadedFunction {
  const handle = async ({ event: { n, breaks } }: Input<typeof event>, { tx }: TransactionContext) => {
    calls.push(n)
    if (breaks || broken.has(n)) throw new Error('broken')
    if (kind === 'transaction') await tx.execute(statement`INSERT INTO effects (n) VALUES (${n})`)
  }
  const definition = defineTestFunction({ event, ordering: 'key', maxAttempts: 1, handle })
  // Without `tx` the records are handled ahead, in memory, as those of a function with a table.
  return kind === 'inbox' ? { ...definition, kind } : definition
}

async function attach(t: Teardown, kind: 'inbox' | 'transaction') {
  const calls: number[] = []
  const broken = new Set<number>()
  const rig = await createTestAttachment(t, define(kind, calls, broken), { bounds, database })
  await sql`TRUNCATE effects RESTART IDENTITY`
  rig.attachment.start()
  rig.kafka.assign(0)
  await until(() => rig.kafka.calls.length === 1)
  return { ...rig, calls, broken }
}

const keyed = (offset: number, key: string | null, breaks = false) =>
  fetched(offset, { n: offset, ...(breaks ? { breaks } : {}) }, { key: key === null ? null : Buffer.from(key) })

async function letters(): Promise<string[]> {
  const rows =
    await sql`SELECT "offset"::int AS at, disposition, attempts FROM dead_letters ORDER BY dead_letters."offset"`
  return rows.map(({ at, disposition, attempts }) => `${at} ${disposition} ${attempts}`)
}

for (const kind of ['inbox', 'transaction'] as const) {
  t.test(`rule 22: parks later records of a key behind its dead letter, uncalled (${kind})`, async t => {
    const { kafka, calls, stored, position } = await attach(t, kind)

    await kafka.deliver(
      batch(0, [keyed(0, 'a'), keyed(1, 'a', true), keyed(2, 'b'), keyed(3, 'a'), keyed(4, null, true), keyed(5, null)])
    )
    await until(async () => (await position())?.next === 6)
    await kafka.deliver(batch(6, [keyed(6, 'a'), keyed(7, 'b')]))
    await until(async () => (await position())?.next === 8)

    t.strictSame(await stored(), [0, 2, 5, 7])
    t.strictSame(await letters(), [
      '1 attempts_exhausted 1',
      '3 parked_behind_key 0',
      '4 attempts_exhausted 1',
      '6 parked_behind_key 0'
    ])
    t.strictSame(calls, [0, 1, 2, 4, 5, 7], 'what is parked is not handled')
    const [blocked] =
      await sql`SELECT count(*)::int AS count, bool_and(key_hash = sha256('a')) AS is_a FROM blocked_keys`
    t.strictSame({ ...blocked }, { count: 1, is_a: true })
  })

  t.test(`rule 22: goes on with a key whose head was resolved meanwhile (${kind})`, async t => {
    const { kafka, stored, position } = await attach(t, kind)
    await kafka.deliver(batch(0, [keyed(0, 'a', true)]))
    await until(async () => (await position())?.next === 1)

    await sql`DELETE FROM blocked_keys`
    await sql`UPDATE dead_letters SET state = 'resolved', resolved_at = now()`
    await kafka.deliver(batch(1, [keyed(1, 'a'), keyed(2, 'a')]))
    // What it believed of the key is wrong: the records come once more.
    await until(async () => {
      if (kafka.calls.length > 1 && (await position())?.next === 1)
        await kafka.deliver(batch(1, [keyed(1, 'a'), keyed(2, 'a')]))
      return (await position())?.next === 3
    })

    t.strictSame(await stored(), [1, 2])
    t.equal((await letters()).length, 1)
  })
}

t.test('rule 22: a replay of records that are settled and fail now holds nothing back', async t => {
  const { kafka, calls, broken, stored, position, setPosition } = await attach(t, 'inbox')
  const records = Array.from({ length: 22 }, (_, offset) => keyed(offset, 'a'))
  await kafka.deliver(batch(0, records.slice(0, 20)))
  await until(async () => (await position())?.next === 20)
  await setPosition(0)
  await kafka.deliver(batch(20, [keyed(20, 'a')]))
  await until(() => kafka.calls.length === 2)

  for (let n = 0; n < 20; n += 4) broken.add(n)
  calls.length = 0
  await kafka.deliver(batch(0, records))
  await until(async () => (await position())?.next === 22)

  t.strictSame(kafka.calls, ['start 0 0', 'start 0 0'], 'nothing is fetched twice')
  t.strictSame((await stored()).slice(-2), [20, 21])
  t.strictSame(await letters(), [])
  t.strictSame(
    calls,
    records.map((_, n) => n),
    'each is handled once, in order'
  )
})

t.test('rule 22: a cycle that decides to park waits for a redrive that settles the head', async t => {
  const { kafka, stored, position } = await attach(t, 'transaction')
  await kafka.deliver(batch(0, [keyed(0, 'a', true)]))
  await until(async () => (await position())?.next === 1)

  await sql.begin(async tx => {
    await tx`UPDATE dead_letters SET state = 'resolved', resolved_at = now()`
    await tx`SELECT FROM blocked_keys WHERE group_id = ${PLACE.groupId} FOR UPDATE`
    await kafka.deliver(batch(1, [keyed(1, 'a')]))
    await until(async () => (await sql`SELECT FROM pg_locks WHERE NOT granted`).length > 0)
    await tx`DELETE FROM blocked_keys`
  })
  await until(async () => (await position())?.next === 2)

  t.strictSame(await stored(), [1], 'not parked behind a head that is gone')
})
