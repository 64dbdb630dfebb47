import t from 'tap'
import { createCancelLimit } from '../../runner/cancel-limit.ts'
import { CYCLE_LIMIT, type Share } from '../../runner/row-cycles.ts'
import { Type } from '../../sdk/index.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, range } from './_support/records.ts'

const database = await createTestDatabase(t)
const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const definition = defineTestFunction({ event: Type.Object({ n: Type.Number() }), maxAttempts: 2 })

t.test(
  'rule 16: a record that is cancelled alone, again and again, is dead, and no other',
  { timeout: 60_000 },
  async t => {
    const { attachment, kafka, sql, stored, position } = await createTestAttachment(t, definition, { database, bounds })
    await sql.unsafe(`CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'canceling statement' USING ERRCODE = '57014'; END $$`)
    await sql.unsafe(`CREATE TRIGGER cancel BEFORE INSERT ON messages
    FOR EACH ROW WHEN (NEW."offset" = 40) EXECUTE FUNCTION cancel()`)
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    await kafka.deliver(batch(0, range(0, 100)))
    await until(async () => (await position())?.next === 100, 40_000)

    t.strictSame(
      await stored(),
      Array.from({ length: 100 }, (_, offset) => offset).filter(offset => offset !== 40)
    )
    const letters =
      await sql`SELECT "offset"::int AS at, attempts, disposition, stage, error_name AS name FROM dead_letters`
    t.strictSame(
      letters.map(letter => ({ ...letter })),
      [{ at: 40, attempts: 2, disposition: 'attempts_exhausted', stage: 'persist', name: 'sql:57014' }]
    )
  }
)

t.test('rule 16: a statement that is cancelled now and then uses no attempt', { timeout: 60_000 }, async t => {
  const { attachment, kafka, sql, stored, position } = await createTestAttachment(t, definition, { database, bounds })
  await sql`CREATE SEQUENCE times`
  await sql.unsafe(`CREATE OR REPLACE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('times') <= 4 THEN RAISE EXCEPTION 'canceling statement' USING ERRCODE = '57014'; END IF;
    RETURN NEW; END $$`)
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)

  await kafka.deliver(batch(0, range(0, 100)))
  await until(async () => (await position())?.next === 100, 40_000)

  t.equal((await stored()).length, 100)
  t.strictSame([...(await sql`SELECT id FROM dead_letters`)], [])
})

t.test(
  'rule 16: a record that is always cancelled is tried alone while other partitions have work',
  { timeout: 60_000 },
  async t => {
    const bounds = Object.fromEntries([0, 1, 2].map(n => [n, { logStartOffset: 0n, logEndOffset: 1_000n }]))
    const rig = await createTestAttachment(t, definition, { database, bounds })
    const { attachment, kafka, sql, stored, position } = rig
    await sql`CREATE SEQUENCE cancels`
    await sql.unsafe(`CREATE OR REPLACE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM nextval('cancels');
    RAISE EXCEPTION 'canceling statement' USING ERRCODE = '57014'; END $$`)
    await sql.unsafe(`CREATE OR REPLACE TRIGGER cancel BEFORE INSERT ON messages
    FOR EACH ROW WHEN (NEW.partition = 2 AND NEW."offset" = 0) EXECUTE FUNCTION cancel()`)
    attachment.start()
    kafka.assign(0, 1, 2)
    await until(() => kafka.calls.length === 3)

    // Fullest where the record is: the others come first whenever it is about one record.
    for (const [partition, count] of [100, 200, 300].entries())
      await kafka.deliver(batch(0, range(0, count), { partition }))
    await until(async () => (await position(2))?.next === 300, 30_000)

    t.strictSame([(await stored(0)).length, (await stored(1)).length, (await stored(2)).length], [100, 200, 299])
    const letters = await sql`SELECT partition, "offset"::int AS at, attempts, stage FROM dead_letters`
    t.strictSame(
      letters.map(letter => ({ ...letter })),
      [{ partition: 2, at: 0, attempts: 2, stage: 'persist' }]
    )
    // Down to one record, and then this one alone: a time limit of PostgreSQL may pass with each.
    const [cancels] = await sql`SELECT last_value::int AS made FROM cancels`
    t.ok(cancels?.made <= 4 + 2, `${cancels?.made} are made`)
  }
)

t.test('rule 16: what another member has by now keeps no cycle small', t => {
  const limit = createCancelLimit(2)
  const shareOf = (partition: number) => ({ owned: { partition }, steps: [] }) as unknown as Share
  const [first, second] = [shareOf(0), shareOf(1)]

  limit.onCancelled(limit.cut([first, second]), new Error('cancelled'))
  t.equal(limit.records(), CYCLE_LIMIT.records / 8)
  for (let cycle = 0; cycle < 3; cycle += 1) limit.onWritten(limit.cut([first]))

  t.equal(limit.records(), CYCLE_LIMIT.records)
  t.end()
})
