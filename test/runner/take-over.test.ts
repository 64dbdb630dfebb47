import { sql as statement } from 'drizzle-orm'
import t from 'tap'
import { lockPositions } from '../../db/queries/positions.ts'
import { createWriter } from '../../db/writer.ts'
import { createAssignedPartition } from '../../runner/assigned-partition.ts'
import { createCycleWriter } from '../../runner/row-cycles.ts'
import type { SettleAhead } from '../../runner/settle-ahead.ts'
import { toEntry } from '../../runner/to-entry.ts'
import { Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment, TOPIC_ID } from './_support/attachment.ts'
import { batch, defineTestFunction, identified, idOf, PLACE, range } from './_support/records.ts'

// Two owners of one partition, one after the other or, when the first has not noticed yet, both at once.

const event = Type.Object({ n: Type.Number() })
const log = { logStartOffset: 0n, logEndOffset: 1_000n }
const bounds = { 0: log, 1: log, 2: log }
const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const kinds = ['inbox', 'transaction'] as const
const database = await createTestDatabase(t)
const { databaseUrl, sql } = database
await sql`CREATE TABLE effects (place text, at serial)`
t.beforeEach(() => sql`TRUNCATE effects`.then())

/** One that writes its effect in a transaction, or one whose records are handled ahead in memory. */
function define(kind: (typeof kinds)[number], calls: string[] = []): LoadedFunction {
  const handle = ({ partition, offset }: Input, { tx }: TransactionContext) => {
    calls.push(`${partition}/${offset}`)
    if (kind === 'inbox') return
    return tx.execute(statement`INSERT INTO effects (place) VALUES (${`${partition}/${offset}`})`)
  }
  const definition = defineTestFunction({ event, handle })
  return kind === 'inbox' ? { ...definition, kind } : definition
}

/** Writers that wait for a lock. */
async function waiting(): Promise<number> {
  const [row] = await sql`SELECT count(*)::int AS waiting FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'test-writer' AND wait_event_type = 'Lock'`
  return row?.waiting
}

for (const kind of kinds) {
  t.test(`rule 5: a zombie with equal batch sizes settles nothing (${kind})`, async t => {
    const calls: string[] = []
    const definition = define(kind, calls)
    const rigs = [await createTestAttachment(t, definition, { bounds, database })]
    rigs.push(await createTestAttachment(t, definition, { bounds, database }))
    for (const { attachment, kafka } of rigs) {
      attachment.start()
      kafka.assign(0)
      await until(() => kafka.calls.length === 1)
    }

    await sql.begin(async tx => {
      await tx`SELECT FROM topic_status FOR UPDATE`
      for (const { kafka } of rigs) await kafka.deliver(batch(0, range(0, 3)))
      await until(async () => (await waiting()) === 2)
    })
    const all = () => rigs.flatMap(({ kafka }) => kafka.calls)
    await until(() => all().length === 3)

    t.strictSame(all().toSorted(), ['start 0 0', 'start 0 0', 'start 0 3'], 'one of them has to go on behind the other')
    t.strictSame(await rigs[0]?.position(), { next: 3, lost: 0, duplicates: 0 })
    t.strictSame(await rigs[0]?.stored(), [0, 1, 2])
    t.equal(calls.length, kind === 'inbox' ? 6 : 3, 'in a transaction, what is fenced is not even called')
  })

  t.test(`rule 6: the next write waits for the one before, whose failure drops what was fetched (${kind})`, async t => {
    const calls: string[] = []
    const rig = await createTestAttachment(t, define(kind, calls), { bounds, database })
    const { attachment, kafka, stored, position } = rig
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    await sql.begin(async tx => {
      await tx`UPDATE topic_status SET next_offset = 1`
      await kafka.deliver(batch(0, range(0, 2)))
      await until(async () => (await waiting()) === 1)
      await kafka.deliver(batch(2, range(2, 4)))
      if (kind === 'inbox') await until(() => calls.length === 4)
      const [open] = await tx`SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'test-writer' AND xact_start IS NOT NULL`
      t.equal(open?.count, 1, 'one write at a time')
    })
    await until(() => kafka.calls.includes('start 0 1'), 5_000)
    t.strictSame(await stored(), [], 'what was fetched ahead is dropped with what failed')
    await kafka.deliver(batch(1, range(1, 4)))
    await until(async () => (await position())?.next === 4)

    t.strictSame(await stored(), [1, 2, 3])
  })

  t.test(
    `rule 8: a new owner outwaits one that froze with its locks, and reads the position anew (${kind})`,
    async t => {
      const rig = await createTestAttachment(t, define(kind), {
        bounds,
        database,
        limits: { ...LIMITS, lockTimeoutMs: 100 }
      })
      const { attachment, kafka, stored, position } = rig
      const frozen = createWriter(databaseUrl, { applicationName: 'test-frozen' })
      t.teardown(() => frozen.close())
      attachment.start()
      kafka.assign(0)
      await until(() => kafka.calls.length === 1)
      let thaw = () => {}
      const isThawed = new Promise<void>(resolve => {
        thaw = resolve
      })
      const lost = frozen.transaction(
        async tx => {
          await lockPositions(tx, PLACE.groupId, PLACE.topic, [0])
          await kafka.deliver(batch(0, range(0, 3)))
          await isThawed
          await tx.query('UPDATE topic_status SET next_offset = 900')
        },
        { ...LIMITS, idleTimeoutMs: 2_000 }
      )

      await until(() => attachment.state().state === 'waiting')
      await until(async () => (await position())?.next === 3)
      thaw()

      await t.rejects(lost, { code: 'SMG_DB_CONNECTION_LOST' }, 'it comes too late')
      t.strictSame(await stored(), [0, 1, 2])
      t.equal((await position())?.next, 3)
      t.strictSame([...(await sql`SELECT FROM dead_letters`)], [])
    }
  )
}

t.test('rule 5: when one of three partitions was lost, nothing of the cycle is written', async t => {
  await sql`TRUNCATE messages, topic_status`
  const owned = [0, 1, 2].map(partition => createAssignedPartition({ partition, nextOffset: 0n, topicId: TOPIC_ID }))
  for (const { partition } of owned)
    await sql`INSERT INTO topic_status (group_id, topic, partition, next_offset, topic_id)
      VALUES (${PLACE.groupId}, ${PLACE.topic}, ${partition}, ${partition === 1 ? 1 : 0}, ${TOPIC_ID})`
  const writer = createWriter(databaseUrl, { applicationName: 'test-writer' })
  t.teardown(() => writer.close())
  const writeCycle = createCycleWriter({
    ...PLACE,
    ordering: 'partition',
    rowWriter: null,
    flood: { check: async () => undefined },
    topicIdOf: () => TOPIC_ID,
    toOutboxEntries: () => [],
    nowMs: Date.now
  })
  const shares = owned.map(partition => {
    const record = identified(0, { n: 0 }, { partition: partition.partition, id: idOf(partition.partition) })
    const outcome = { kind: 'handled', event: {}, effect: [], published: [] } as const
    const settled = { record, outcome, entry: toEntry(record, [], null) }
    const steps = [{ settled, next: 1n, bytes: 1 }]
    return { owned: partition, ahead: {} as SettleAhead, steps, expected: 0n, epoch: 0, next: 1n }
  })

  const refused = writer.transaction(tx => writeCycle(tx, shares, { care: 'none' }), LIMITS)

  await t.rejects(refused, { code: 'SMG_RUNNER_POSITION_MOVED', partitions: [1] })
  t.strictSame([...(await sql`SELECT FROM messages`)], [])
  const rows = await sql`SELECT next_offset::int AS next FROM topic_status ORDER BY partition`
  t.strictSame(
    rows.map(({ next }) => next),
    [0, 1, 0]
  )
})

t.test('rule 5: the partitions that stay go on unaided when one of three moved away', async t => {
  let open: (value?: unknown) => void = () => undefined
  const door = new Promise(resolve => {
    open = resolve
  })
  const held = { ...define('inbox'), handle: () => door } as LoadedFunction
  const rig = await createTestAttachment(t, held, { bounds, database })
  const { attachment, kafka, stored, position, setPosition } = rig
  attachment.start()
  kafka.assign(0, 1, 2)
  await until(() => kafka.calls.length === 3)
  for (const partition of [0, 1, 2]) await kafka.deliver(batch(0, range(0, 2), { partition }))

  await setPosition(2, 1)
  open()
  await until(async () => (await position(0))?.next === 2 && (await position(2))?.next === 2)
  await until(() => kafka.calls.length === 4)

  t.equal(kafka.calls[3], 'start 1 2', 'the others are not fetched anew')
  t.strictSame([await stored(0), await stored(1), await stored(2)], [[0, 1], [], [0, 1]])
})

/** Puts an older copy in place of the database: all partitions stood at `at` then. */
async function restore(at: number) {
  await sql`DELETE FROM messages WHERE "offset" >= ${at}`
  await sql`UPDATE topic_status SET next_offset = ${at}`
}

t.test(
  'rule 3: a database that is an older copy of itself is followed, busy and idle',
  { timeout: 30_000 },
  async t => {
    const { attachment, kafka, stored, position } = await createTestAttachment(t, define('inbox'), { bounds, database })
    attachment.start()
    kafka.assign(0, 1)
    await until(() => kafka.calls.length === 2)
    for (const partition of [0, 1]) {
      await kafka.deliver(batch(0, range(0, 6), { partition }))
      await until(async () => (await position(partition))?.next === 6)
    }

    await restore(3)
    await kafka.deliver(batch(6, range(6, 8)))
    await until(() => kafka.calls.includes('start 0 3'), 5_000)
    // Nothing comes for the other one: only looking tells.
    await until(() => kafka.calls.includes('start 1 3'), 15_000)
    await kafka.deliver(batch(3, range(3, 8)))
    await kafka.deliver(batch(3, range(3, 6), { partition: 1 }))
    await until(async () => (await position(0))?.next === 8 && (await position(1))?.next === 6)

    t.strictSame(
      [await stored(0), await stored(1)],
      [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3, 4, 5]
      ]
    )
  }
)

t.test('rule 3: all positions are read again after an outage, those of idle partitions too', async t => {
  const { attachment, kafka, position } = await createTestAttachment(t, define('inbox'), { bounds, database })
  attachment.start()
  kafka.assign(0, 1)
  await until(() => kafka.calls.length === 2)
  for (const partition of [0, 1]) {
    await kafka.deliver(batch(0, range(0, 6), { partition }))
    await until(async () => (await position(partition))?.next === 6)
  }

  await sql.begin(async tx => {
    await tx`UPDATE topic_status SET next_offset = 3 WHERE partition = 1`
    await tx`SELECT FROM topic_status FOR UPDATE`
    await kafka.deliver(batch(6, range(6, 8)))
    await until(async () => (await waiting()) === 1)
    await tx`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'test-writer'`
  })
  // Well before they are read again anyway.
  await until(() => kafka.calls.includes('start 1 3'), 5_000)
  await until(async () => (await position())?.next === 8)

  t.notOk(kafka.calls.includes('start 0 6'), 'one that is as it was keeps what is in hand')
})
