import t from 'tap'
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
