import { sql as statement } from 'drizzle-orm'
import t from 'tap'
import { Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, range } from './_support/records.ts'

const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const database = await createTestDatabase(t)
const { sql } = database
await sql`CREATE TABLE effects (place text)`

for (const kind of ['inbox', 'transaction'] as const) {
  const define = (event: LoadedFunction['event']) => {
    const handle = ({ offset }: Input, { tx }: TransactionContext) =>
      kind === 'inbox' ? undefined : tx.execute(statement`INSERT INTO effects (place) VALUES (${offset})`)
    return { ...defineTestFunction({ event, handle }), kind }
  }

  t.test(`rule 10: a full replay after the schema changed settles nothing anew (${kind})`, async t => {
    const before = await createTestAttachment(t, define(Type.Object({ n: Type.Number() })), { bounds, database })
    const after = await createTestAttachment(t, define(Type.Object({ n: Type.String() })), { bounds, database })
    await sql`TRUNCATE effects`
    before.attachment.start()
    before.kafka.assign(0)
    await until(() => before.kafka.calls.length === 1)
    await before.kafka.deliver(batch(0, range(0, 4)))
    await until(async () => (await before.position())?.next === 4)
    await before.attachment.stop(performance.now() + 1_000)

    await after.setPosition(0)
    after.attachment.start()
    after.kafka.assign(0)
    await until(() => after.kafka.calls.length === 1)
    await after.kafka.deliver(batch(0, range(0, 5)))
    await until(async () => (await after.position())?.next === 5)

    t.strictSame(await after.stored(), [0, 1, 2, 3])
    t.strictSame(
      (await sql`SELECT place FROM effects ORDER BY place`).map(({ place }) => place),
      kind === 'inbox' ? [] : ['0', '1', '2', '3']
    )
    const letters = await sql`SELECT "offset"::int AS at, disposition FROM dead_letters`
    t.strictSame([...letters], [{ at: 4, disposition: 'validation_failed' }], 'only what was never settled')
    t.equal((await after.position())?.duplicates, 4)
  })
}
