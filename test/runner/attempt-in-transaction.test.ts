import { sql as statement } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { Type } from '../../sdk/index.ts'
import type { Input, Options, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { openProxy } from '../faults/proxy.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, range } from './_support/records.ts'

const event = Type.Object({ n: Type.Number() })
const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const { databaseUrl, sql } = await createTestDatabase(t)
await sql`CREATE TABLE effects (at int)`
t.beforeEach(() => sql`TRUNCATE effects`.then())

type Handle = (input: Input, context: TransactionContext) => Promise<unknown>

/** A function that has one attempt for a record, attached. */
async function attach(t: Test, handle: Handle, { url = databaseUrl, ...options }: { url?: string } & Options = {}) {
  const definition = defineTestFunction({ event, maxAttempts: 1, ...options, handle })
  const rig = await createTestAttachment(t, definition, { bounds, database: { sql, databaseUrl: url } })
  rig.attachment.start()
  rig.kafka.assign(0)
  await until(() => rig.kafka.calls.length === 1)
  return {
    ...rig,
    effects: async () => (await sql`SELECT at FROM effects ORDER BY at`).map(({ at }) => at),
    letters: async () => (await sql`SELECT "offset"::int AS at, disposition FROM dead_letters`).map(row => ({ ...row }))
  }
}

const write = (offset: string, { tx }: TransactionContext) =>
  tx.execute(statement`INSERT INTO effects (at) VALUES (${Number(offset)})`)

async function beBusy(ms: number): Promise<void> {
  const endMs = Date.now() + ms
  await until(() => Date.now() >= endMs)
}

const lockWaits = [
  { when: 'PostgreSQL gives up first', timeoutMs: 1_500, busyMs: 0 },
  { when: 'the attempt was busy before', timeoutMs: 1_500, busyMs: 900 },
  { when: 'the attempt has little time', timeoutMs: 300, busyMs: 0 }
]
for (const { when, timeoutMs, busyMs } of lockWaits) {
  t.test(`rule 16: a lock that is held for longer than an attempt may take uses none, when ${when}`, async t => {
    let begun = 0
    const handle: Handle = async ({ offset }, context) => {
      begun += 1
      await beBusy(busyMs)
      await write(offset, context)
    }
    const { kafka, effects, letters, stored, position, metrics } = await attach(t, handle, { timeoutMs })

    await sql.begin(async migration => {
      await migration`LOCK TABLE effects IN ACCESS EXCLUSIVE MODE`
      await kafka.deliver(batch(0, range(0, 3)))
      await until(() => begun > 0)
      await beBusy(timeoutMs * 3)
    })
    await until(async () => (await position())?.next === 3)

    t.strictSame(await letters(), [])
    t.strictSame(await effects(), [0, 1, 2])
    t.strictSame(await stored(), [0, 1, 2])
    t.strictSame((await metrics.attemptsFailed.get()).values, [])
    t.ok(begun > 3, 'it was waited for more than once')
  })
}

const holes = [
  { when: 'nobody answers', conditions: { stalled: 'both', accept: 'silence' } },
  { when: 'its link alone is dead', conditions: { heldAt: 'INSERT INTO effects' } }
] as const
for (const { when, conditions } of holes) {
  t.test(`rule 16: an attempt that gets no answer uses none when ${when}`, { timeout: 60_000 }, async t => {
    const proxy = await openProxy({ targetPort: Number(new URL(databaseUrl).port) })
    t.teardown(() => proxy.close())
    const url = new URL(databaseUrl)
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    let isCut = false
    const handle: Handle = async ({ offset }, context) => {
      if (offset === '1' && !isCut) await proxy.set(conditions)
      if (offset === '1') isCut = true
      await write(offset, context)
    }
    const rig = await attach(t, handle, { url: url.href, timeoutMs: 500 })
    const { kafka, attachment, effects, letters, position, metrics } = rig

    await kafka.deliver(batch(0, range(0, 3)))
    await until(() => attachment.state().state === 'waiting', 20_000)
    await proxy.heal()
    await until(async () => (await position())?.next === 3, 30_000)

    t.strictSame(await letters(), [])
    t.strictSame(await effects(), [0, 1, 2])
    t.strictSame((await metrics.attemptsFailed.get()).values, [])
  })
}

const slow: { when: string; handle: Handle }[] = [
  { when: 'it waits in a statement', handle: (_, { tx }) => tx.execute(statement`SELECT pg_sleep(60)`) },
  {
    when: 'it makes one statement after the other',
    handle: async (_, { tx }) => {
      for (;;) await tx.execute(statement`SELECT 1`)
    }
  },
  { when: 'it is busy elsewhere', handle: () => new Promise(() => undefined) }
]
for (const { when, handle } of slow) {
  t.test(`rule 15: an attempt that takes too long is used up when ${when}`, async t => {
    const { kafka, effects, letters, position } = await attach(
      t,
      async (input, context) => {
        await write(input.offset, context)
        if (input.offset === '1') await handle(input, context)
      },
      { timeoutMs: 500 }
    )

    await kafka.deliver(batch(0, range(0, 3)))
    await until(async () => (await position())?.next === 3)

    t.strictSame(await letters(), [{ at: 1, disposition: 'timed_out' }])
    t.strictSame(await effects(), [0, 2])
  })
}
