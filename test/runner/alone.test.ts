import t from 'tap'
import { createPositionQueries } from '../../db/queries/positions.ts'
import { createTrials } from '../../runner/trial.ts'
import { createTurn } from '../../runner/turn.ts'
import { Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction } from '../../sdk/types.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { createTestAttachment, TOPIC_ID } from './_support/attachment.ts'
import { batch, defineTestFunction, fetched, PLACE } from './_support/records.ts'

// What handles records one at a time, and who gets the turn when the one that has it cannot go on.
const log = { logStartOffset: 0n, logEndOffset: 1_000n }
const bounds = { 0: log, 1: log }
type Kind = 'inbox' | 'transaction'
type Handle = (input: Input) => unknown

/** A function two of whose partitions were left by processes that ended twice; partition 0 has the turn first. */
async function start(t: Teardown, kind: Kind, handle: Handle, options: object = {}) {
  const database = await createTestDatabase(t)
  const calls: string[] = []
  const definition = {
    ...defineTestFunction({
      event: Type.Object({ n: Type.Number() }),
      ...options,
      handle: async (input: Input) => {
        calls.push(`${input.partition}:${input.offset}`)
        return handle(input)
      }
    }),
    kind
  } as LoadedFunction
  const turn = createTurn()
  const positions = createPositionQueries(database.sql)
  const createTrial = createTrials({ ...PLACE, positions, maxAttempts: 3, turn, log: silent })
  const rig = await createTestAttachment(t, definition, { bounds, database, createTrial })
  await rig.sql`INSERT INTO topic_status (group_id, topic, partition, next_offset, topic_id, trying_offset, trying_count)
    SELECT ${PLACE.groupId}, ${PLACE.topic}, partition, 0, ${TOPIC_ID}, 0, 0 FROM generate_series(0, 1) AS partition`
  rig.attachment.start()
  rig.kafka.assign(0, 1)
  await until(() => rig.kafka.calls.length === 2)
  await rig.kafka.deliver(batch(0, [fetched(0), fetched(1)], { partition: 0 }))
  await until(() => calls.length === 1)
  await rig.kafka.deliver(batch(0, [fetched(0), fetched(1)], { partition: 1 }))
  return { ...rig, calls, turn }
}

function createDoor() {
  let open: () => void = () => undefined
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open }
}

/** Longer than it takes to find that processes ended here. */
function aWhile() {
  return new Promise(resolve => setTimeout(resolve, 1_500))
}

for (const kind of ['inbox', 'transaction'] as const) {
  t.test(
    `rule 18: a record is handled when the one before it is committed, of whatever partition (${kind})`,
    async t => {
      const door = createDoor()
      const { calls, position } = await start(t, kind, ({ partition }) => (partition === 0 ? door.opened : undefined))

      await aWhile()
      t.strictSame(calls, ['0:0'])
      door.open()
      await until(async () => (await position(0))?.next === 2 && (await position(1))?.next === 2)

      t.strictSame(calls.toSorted(), ['0:0', '0:1', '1:0', '1:1'])
    }
  )

  t.test(`rule 18: a record that waits for its next attempt gives the turn on (${kind})`, async t => {
    const { position } = await start(
      t,
      kind,
      ({ partition, offset }) => {
        if (partition === 0 && offset === '0') throw new Error('not yet')
      },
      { maxAttempts: 3, backoffMs: { min: 60_000, max: 60_000 } }
    )

    await until(async () => (await position(1))?.next === 2, 8_000)

    t.equal((await position(0))?.next, 0)
  })

  t.test(`rule 18: a record comes to its last attempt though others have the turn between (${kind})`, async t => {
    const { calls, position, sql } = await start(
      t,
      kind,
      ({ partition, offset }) => {
        if (partition === 0 && offset === '0') throw new Error('never')
      },
      { maxAttempts: 3, backoffMs: { min: 50, max: 50 } }
    )

    await until(async () => (await position(0))?.next === 2 && (await position(1))?.next === 2, 8_000)

    t.equal(calls.filter(call => call === '0:0').length, 3)
    const letters = await sql`SELECT disposition FROM dead_letters`
    t.strictSame([...letters], [{ disposition: 'attempts_exhausted' }])
    const noted = await sql`SELECT FROM topic_status WHERE trying_offset IS NOT NULL`
    t.equal(noted.length, 0)
  })

  t.test(`rule 18: a function that is paused holds nobody else back, and goes on (${kind})`, async t => {
    const door = createDoor()
    const { brake, turn, position } = await start(t, kind, ({ partition }) =>
      partition === 0 ? door.opened : undefined
    )

    brake.set('paused')
    door.open()
    const held = await turn.take(AbortSignal.timeout(8_000))
    t.ok(held, 'another function has the turn')
    held?.end()
    brake.set('free')

    await until(async () => (await position(0))?.next === 2 && (await position(1))?.next === 2)
  })

  t.test(`rule 18: a function that is stopped until someone acts holds nobody else back (${kind})`, async t => {
    const door = createDoor()
    const { attachment, sql, turn } = await start(t, kind, ({ partition }) =>
      partition === 0 ? door.opened : undefined
    )
    await sql`ALTER TABLE messages RENAME TO hidden`

    door.open()
    await until(() => attachment.state().state === 'stopped')

    t.ok(await turn.take(AbortSignal.timeout(8_000)))
  })

  t.test(`rule 18: a stop does not wait for a turn, and leaves no start noted (${kind})`, async t => {
    const door = createDoor()
    const { attachment, sql } = await start(t, kind, () => door.opened)
    await aWhile()

    const begun = performance.now()
    setTimeout(door.open, 200)
    await attachment.stop(performance.now() + 20_000)

    t.ok(performance.now() - begun < 15_000)
    const counts = await sql`SELECT trying_count::int AS count FROM topic_status WHERE partition = 1`
    t.strictSame([...counts], [{ count: 0 }])
  })

  t.test(`rule 18: a record of a partition that was lost keeps the turn as long as it runs (${kind})`, async t => {
    const door = createDoor()
    const rig = await start(t, kind, ({ partition }) => (partition === 0 ? door.opened : undefined))
    const { calls, kafka, position } = rig

    kafka.assign(1)
    await aWhile()
    t.strictSame(calls, ['0:0'])
    door.open()

    await until(async () => (await position(1))?.next === 2)
  })
}

t.test('rule 18: a record that was dropped keeps the turn as long as it runs', async t => {
  const door = createDoor()
  const handle: Handle = ({ partition }) => (partition === 0 ? door.opened : undefined)
  const rig = await start(t, 'inbox', handle, { timeoutMs: 60_000 })
  const { calls, kafka, position, setPosition } = rig

  await setPosition(1, 0)
  // When the positions are read again.
  await until(() => kafka.calls.includes('start 0 1'), 15_000)
  await aWhile()
  t.strictSame(calls, ['0:0'])
  door.open()

  await until(async () => (await position(1))?.next === 2)
})
