import { sql as statement } from 'drizzle-orm'
import t from 'tap'
import { kafkaErrors } from '../../kafka/errors.ts'
import { runnerErrors } from '../../runner/errors.ts'
import { Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, range } from './_support/records.ts'

// Both wait for the next try at the same time.
t.jobs = 4

const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const RETRIES_MS = 45_000

for (const kind of ['inbox', 'transaction'] as const) {
  t.test(
    `rule 19: a stopped function holds its position, says why, and heals (${kind})`,
    { timeout: 90_000 },
    async t => {
      let calls = 0
      const handle = () => {
        calls += 1
      }
      const definition = {
        ...defineTestFunction({ event: Type.Object({ n: Type.Number() }), maxAttempts: 1, handle }),
        kind
      }
      const database = await createTestDatabase(t)
      const rig = await createTestAttachment(t, definition as LoadedFunction, { bounds, database })
      const { attachment, kafka, sql, stored, position } = rig
      attachment.start()
      kafka.assign(0)
      await until(() => kafka.calls.length === 1)

      await sql`ALTER TABLE messages RENAME TO hidden`
      await kafka.deliver(batch(0, range(0, 3)))
      await until(() => attachment.state().state === 'stopped')
      t.match(attachment.state().reason, /"messages" does not exist: mend it/)
      await kafka.deliver(batch(3, range(3, 5)))
      t.equal((await position())?.next, 0)
      t.strictSame([...(await sql`SELECT FROM dead_letters`)], [])

      await sql`ALTER TABLE hidden RENAME TO messages`
      await until(async () => (await position())?.next === 5, RETRIES_MS)

      t.strictSame(await stored(), [0, 1, 2, 3, 4])
      t.strictSame(kafka.calls, ['start 0 0'], 'with what was in hand')
      t.equal(kafka.consumers.length, 1, 'without leaving its group')
      t.equal(attachment.state().state, 'running')
      t.equal(calls, 5)
    }
  )
}

const event = Type.Object({ n: Type.Number() })

t.test("rule 19: a stop that gives an attempt up is nobody's fault", { timeout: 30_000 }, async t => {
  let isHandling = false
  const handle = (_input: Input, { signal }: TransactionContext) => {
    isHandling = true
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const database = await createTestDatabase(t)
  const { attachment, kafka, position, shutdown, told } = await createTestAttachment(
    t,
    defineTestFunction({ event, handle }),
    { bounds, database }
  )
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 1)))
  await until(() => isHandling)

  await attachment.stop(Date.now() + 50)
  shutdown.abort(new runnerErrors.SMG_RUNNER_STOPPING())
  // Waits for what still ran.
  await attachment.stop(Date.now() + 10_000)

  t.strictSame(told, ['running'])
  t.equal((await position())?.next, 0)
})

t.test('rule 19: a partition that works does not hide that another one is stopped', { timeout: 30_000 }, async t => {
  const handle = async ({ partition }: Input<typeof event>, { tx }: TransactionContext) => {
    if (partition === 0) await tx.execute(statement`SELECT FROM nothing`)
  }
  const log = { logStartOffset: 0n, logEndOffset: 1_000n }
  const database = await createTestDatabase(t)
  const { attachment, kafka, position, told } = await createTestAttachment(t, defineTestFunction({ event, handle }), {
    bounds: { 0: log, 1: log },
    database
  })
  attachment.start()
  kafka.assign(0, 1)
  await until(() => kafka.calls.length === 2)
  await kafka.deliver(batch(0, range(0, 1)))
  await until(() => attachment.state().state === 'stopped')
  await kafka.deliver(batch(0, range(0, 1), { partition: 1 }))
  await until(async () => (await position(1))?.next === 1)
  await kafka.deliver(batch(1, range(1, 2), { partition: 1 }))
  await until(async () => (await position(1))?.next === 2)

  t.equal(attachment.state().state, 'stopped')
  t.notOk(told.slice(1).includes('running'))
})

for (const kind of ['inbox', 'transaction'] as const) {
  t.test(`waits, and is not stopped, while Kafka cannot tell where a lost position begins (${kind})`, async t => {
    const handle = () => undefined
    const definition = { ...defineTestFunction({ event, handle }), kind }
    const database = await createTestDatabase(t)
    const { attachment, kafka, sql, position, told } = await createTestAttachment(t, definition as LoadedFunction, {
      bounds,
      database
    })
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)
    let asked = 0
    kafka.beforeOffsets = async () => {
      asked += 1
      throw new kafkaErrors.SMG_KAFKA_UNAVAILABLE('no answer in 5000 ms')
    }
    await sql`CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$`
    await sql`CREATE TRIGGER no_space BEFORE INSERT ON messages EXECUTE FUNCTION no_space()`
    await kafka.deliver(batch(0, range(0, 3)))
    await until(() => attachment.state().state === 'waiting')
    await sql`DELETE FROM topic_status`
    await sql`DROP TRIGGER no_space ON messages`
    await until(() => asked > 2)
    t.match(attachment.state(), { state: 'waiting', reason: 'Kafka cannot be asked' })

    kafka.beforeOffsets = async () => undefined
    await until(async () => (await position())?.next === 3)
    t.notOk(told.includes('stopped'), told.join())
  })

  t.test(`rule 19: a stop goes with the partition that met it (${kind})`, { timeout: 30_000 }, async t => {
    const definition = { ...defineTestFunction({ event, handle() {} }), kind } as LoadedFunction
    const log = { logStartOffset: 0n, logEndOffset: 1_000n }
    const database = await createTestDatabase(t)
    const rig = await createTestAttachment(t, definition, { bounds: { 0: log, 1: log }, database })
    const { attachment, kafka, position, told, sql } = rig
    await sql.unsafe(`CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'permission denied' USING ERRCODE = '42501'; END $$`)
    await sql.unsafe(`CREATE TRIGGER forbid BEFORE INSERT ON messages
      FOR EACH ROW WHEN (NEW.partition = 0) EXECUTE FUNCTION forbid()`)
    attachment.start()
    kafka.assign(0, 1)
    await until(() => kafka.calls.length === 2)
    await kafka.deliver(batch(0, range(0, 1)))
    await until(() => attachment.state().state === 'stopped')

    kafka.assign(1)

    t.strictSame(attachment.state(), { state: 'running', reason: null })
    t.equal(told.at(-1), 'running')
    await kafka.deliver(batch(0, range(0, 1), { partition: 1 }))
    await until(async () => (await position(1))?.next === 1, 10_000)
    t.notOk(told.slice(told.lastIndexOf('stopped') + 1).includes('stopped'))
  })
}
