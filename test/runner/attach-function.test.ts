import t from 'tap'
import { Type } from '../../sdk/index.ts'
import type { Input } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment, TOPIC_ID } from './_support/attachment.ts'
import { batch, defineTestFunction, fetched, range } from './_support/records.ts'

const event = Type.Object({ n: Type.Number(), text: Type.Optional(Type.String()) })
const log = { logStartOffset: 0n, logEndOffset: 1_000n }
const bounds = { 0: log, 1: log, 2: log }
const database = await createTestDatabase(t)
const inbox = defineTestFunction({ event })

// No table, and yet handled ahead in memory: what a test has to hold back is held in its handle.
function defineHeld(handle: (input: Input) => unknown) {
  return { ...inbox, handle } as typeof inbox
}

function createDoor() {
  let open: (value?: unknown) => void = () => undefined
  const closed = new Promise(resolve => {
    open = resolve
  })
  return { closed, open: () => open() }
}

t.test('rule 3: starts where PostgreSQL stands, and settles from there on', async t => {
  const { attachment, kafka, stored, position, setPosition } = await createTestAttachment(t, inbox, {
    bounds,
    database
  })
  await setPosition(5)
  t.equal(attachment.state().state, 'starting')
  attachment.start()

  kafka.assign(0, 1)
  await until(() => kafka.calls.length === 2)
  t.strictSame(kafka.calls.toSorted(), ['start 0 5', 'start 1 0'])
  await kafka.deliver(batch(5, range(5, 8)))
  await until(async () => (await position())?.next === 8)

  t.strictSame(await stored(), [5, 6, 7])
  t.equal(attachment.state().state, 'running')
  t.equal(attachment.lag().get(0), 0)
})

t.test('rule 1: goes back when Kafka gives records from above, while the log still holds those between', async t => {
  const { attachment, kafka, stored, position } = await createTestAttachment(t, inbox, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)

  await kafka.deliver(batch(4, range(4, 6)))
  t.strictSame(kafka.calls, ['start 0 0', 'start 0 0'])
  await kafka.deliver(batch(0, range(0, 6)))
  await until(async () => (await position())?.next === 6)

  t.strictSame(await stored(), [0, 1, 2, 3, 4, 5])
  t.equal((await position())?.lost, 0)
})

t.test('rule 1: moves the position when retention removed the records between, and counts them', async t => {
  const { attachment, kafka, stored, position } = await createTestAttachment(t, inbox, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 2)))
  await until(async () => (await position())?.next === 2)

  kafka.bounds.set(0, { logStartOffset: 9n, logEndOffset: 1_000n })
  await kafka.deliver(batch(9, range(9, 11)))
  await until(() => kafka.calls.includes('start 0 9'))
  await kafka.deliver(batch(9, range(9, 11)))
  await until(async () => (await position())?.next === 11)

  t.strictSame(await stored(), [0, 1, 9, 10])
  t.equal((await position())?.lost, 7)
})

t.test('rule 1: finishes what is in hand before it looks for a gap', async t => {
  const door = createDoor()
  const held = defineHeld(() => door.closed)
  const { attachment, kafka, stored, position } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 1)))

  kafka.bounds.set(0, { logStartOffset: 9n, logEndOffset: 1_000n })
  await kafka.deliver(batch(9, range(9, 10)))
  t.strictSame(kafka.calls, ['start 0 0', 'pause 0'], 'asked again at once, Kafka would answer the same')
  kafka.assign(0)
  await until(() => kafka.calls.at(-1) === 'start 0 1')
  await kafka.deliver(batch(9, range(9, 10)))
  t.equal(kafka.calls.at(-1), 'pause 0')
  door.open()
  await until(() => kafka.calls.includes('start 0 9'))
  t.strictSame(kafka.calls.slice(-2), ['start 0 1', 'start 0 9'])
  t.notOk(kafka.calls.includes('resume 0'))
  await kafka.deliver(batch(9, range(9, 10)))
  await until(async () => (await position())?.next === 10)

  t.strictSame(await stored(), [0, 9])
  t.equal((await position())?.lost, 8)
})

t.test('rule 1: a gap that is none any more leaves no trace', async t => {
  const door = createDoor()
  const held = defineHeld(() => door.closed)
  const { attachment, kafka, stored, position } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 1)))
  await kafka.deliver(batch(9, range(9, 10)))
  t.equal(kafka.calls.at(-1), 'pause 0')

  kafka.assign(0)
  await until(() => kafka.calls.at(-1) === 'start 0 1')
  await kafka.deliver(batch(1, range(1, 3)))
  const before = kafka.calls.length
  door.open()
  await until(async () => (await position())?.next === 3)

  t.strictSame(kafka.calls.slice(before), [])
  t.strictSame(await stored(), [0, 1, 2])
})

t.test('rule 1: loses nothing to retention that is in hand, and counts what is not', async t => {
  const door = createDoor()
  const held = defineHeld(() => door.closed)
  const { attachment, kafka, stored, position } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 10)))

  let looks = 0
  kafka.beforeOffsets = async () => {
    looks += 1
  }
  kafka.bounds.set(0, { logStartOffset: 15n, logEndOffset: 1_000n })
  // One look at a time: when the second begins, the first is over.
  await until(async () => {
    await kafka.deliver(batch(0, range(0, 1)))
    return looks === 2
  })
  door.open()
  await until(async () => (await position())?.next === 10)
  await kafka.deliver(batch(15, range(15, 16)))
  await until(() => kafka.calls.includes('start 0 15'))
  await kafka.deliver(batch(15, range(15, 16)))
  await until(async () => (await position())?.next === 16)

  t.strictSame(await stored(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15])
  t.equal((await position())?.lost, 5)
})

t.test('takes a partition once, however often the position of another one has to be asked for', async t => {
  const { attachment, kafka, sql, setPosition } = await createTestAttachment(t, inbox, {
    bounds: { 0: log, 1: { logStartOffset: 5n, logEndOffset: 1_000n } },
    database
  })
  await setPosition(0, 0)
  await setPosition(0, 1)
  await sql.unsafe(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON topic_status FOR EACH ROW EXECUTE FUNCTION refuse()`)
  attachment.start()

  kafka.assign(0, 1)
  await until(() => kafka.calls.length > 0)
  await new Promise(resolve => setTimeout(resolve, 300))
  await sql.unsafe('DROP FUNCTION refuse CASCADE')
  await until(() => kafka.calls.includes('start 1 5'))

  t.strictSame(kafka.calls, ['start 0 0', 'start 1 5'])
})

t.test('drops what comes from below what it asked for, and asks again', async t => {
  const { attachment, kafka, stored, position } = await createTestAttachment(t, inbox, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)

  await kafka.deliver(batch(0, range(0, 3)))
  await kafka.deliver(batch(0, range(0, 3)))
  await kafka.deliver(batch(1, range(1, 5)))
  t.strictSame(kafka.calls.slice(-2), ['start 0 3', 'start 0 3'])
  await kafka.deliver(batch(3, range(3, 5)))
  await until(async () => (await position())?.next === 5)

  t.strictSame(await stored(), [0, 1, 2, 3, 4])
  t.equal((await position())?.duplicates, 0, 'the inbox did not have to know them')
})

t.test('rule 1: moves over holes, and over batches without records', async t => {
  const { attachment, kafka, stored, position } = await createTestAttachment(t, inbox, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)

  await kafka.deliver(batch(0, [fetched(3), fetched(8)], { end: 12 }))
  await kafka.deliver(batch(12, [], { end: 14 }))
  await until(async () => (await position())?.next === 14)

  t.strictSame(await stored(), [3, 8])
  t.strictSame(kafka.calls, ['start 0 0'])
})

t.test('keeps what is in hand of partitions that stay, and drops the others', async t => {
  const door = createDoor()
  const calls: string[] = []
  const held = defineHeld(input => {
    calls.push(`${input.partition}/${input.offset}`)
    return door.closed
  })
  const { attachment, kafka, stored } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0, 1)
  await until(() => kafka.calls.length === 2)
  await kafka.deliver(batch(0, range(0, 2)))
  await kafka.deliver(batch(0, range(0, 2), { partition: 1 }))
  await until(() => calls.length === 2)

  kafka.assign(0, 2)
  await until(() => kafka.calls.includes('start 0 2'))
  await until(() => kafka.calls.includes('start 2 0'))
  await kafka.deliver(batch(2, range(2, 3), { partition: 1 }))
  door.open()
  await until(async () => (await stored()).length === 2)

  t.strictSame(await stored(1), [], 'the lost one is for its new owner')
  t.strictSame(calls.toSorted(), ['0/0', '0/1', '1/0'])
})

t.test('rule 4: a partition that stays is not read on when its topic is another one by now', async t => {
  const { attachment, kafka, stored, position } = await createTestAttachment(t, inbox, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 3)))
  await until(async () => (await position())?.next === 3)

  kafka.topicId = '0b6ff7b0-0000-4000-8000-000000000002'
  kafka.assign(0)
  await until(() => kafka.calls.length === 2)
  t.strictSame(kafka.calls, ['start 0 0', 'start 0 0'], 'from the start of the new log, and never from where it was')
  await kafka.deliver(batch(0, range(0, 1)))
  await until(async () => (await position())?.next === 1)

  t.strictSame(await stored(), [0, 0, 1, 2], 'another log holds other records')
})

t.test('does not take a partition that was lost while its position was read', async t => {
  const door = createDoor()
  const { attachment, kafka } = await createTestAttachment(t, inbox, { bounds, database })
  kafka.beforeOffsets = () => door.closed
  attachment.start()

  kafka.assign(0, 1)
  kafka.assign(1)
  door.open()
  await until(() => kafka.calls.length > 0)
  await until(() => attachment.state().state === 'running')

  t.strictSame(kafka.calls, ['start 1 0'])
  t.strictSame([...attachment.lag().keys()], [1])
})

t.test('asks again until the positions can be read', async t => {
  let failures = 0
  const { attachment, kafka } = await createTestAttachment(t, inbox, { bounds, database })
  kafka.beforeOffsets = async () => {
    failures += 1
    if (failures < 3) throw new Error('no broker answers')
  }
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)

  t.strictSame(kafka.calls, ['start 0 0'])
})

t.test('a member without partitions is running', async t => {
  const { attachment, kafka } = await createTestAttachment(t, inbox, { bounds, database })
  attachment.start()
  kafka.assign()
  await until(() => attachment.state().state === 'running')
  t.equal(attachment.lag().size, 0)
})

t.test('a member that lost all partitions while it waited is running', async t => {
  const door = createDoor()
  const held = defineHeld(() => door.closed)
  const { attachment, kafka, sql } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 1)))
  await sql`ALTER TABLE messages RENAME TO hidden`
  door.open()
  await until(() => attachment.state().state === 'stopped')
  await sql`ALTER TABLE hidden RENAME TO messages`

  kafka.assign()

  t.strictSame(attachment.state(), { state: 'running', reason: null })
})

t.test('waits no longer when what it waited with was taken over by another member', { timeout: 30_000 }, async t => {
  const limits = { lockTimeoutMs: 100, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
  const { attachment, kafka, setPosition } = await createTestAttachment(t, inbox, { bounds, database, limits })
  await setPosition(0)
  await setPosition(0, 1)
  attachment.start()
  kafka.assign(0, 1)
  await until(() => kafka.calls.length === 2)

  await database.sql.begin(async tx => {
    await tx`SELECT FROM topic_status WHERE partition = 0 FOR UPDATE`
    await kafka.deliver(batch(0, range(0, 3)))
    await until(() => attachment.state().state === 'waiting')
    kafka.assign(1)
  })
  await until(() => attachment.state().state === 'running', 15_000)
})

t.test('makes a new consumer when one crashes, and handles again what was in hand', async t => {
  const doors = [createDoor(), createDoor()]
  let calls = 0
  const held = defineHeld(() => doors[Math.min(1, calls++)]?.closed)
  const { attachment, kafka, stored, position } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 2)))
  await until(() => calls === 1)

  kafka.crash()
  await until(() => kafka.consumers.length === 2)
  t.equal(attachment.state().state, 'starting')
  t.equal(kafka.consumers[0]?.isStopped, true)
  doors[0]?.open()
  kafka.assign(0)
  await until(() => kafka.calls.length === 2)
  t.equal(kafka.calls[1], 'start 0 0')
  doors[1]?.open()
  await kafka.deliver(batch(0, range(0, 2)))
  await until(async () => (await position())?.next === 2)

  t.strictSame(await stored(), [0, 1])
  t.equal(attachment.state().state, 'running')
})

t.test('pauses a partition whose queue is full, keeps it paused in a rebalance, and resumes it', async t => {
  const door = createDoor()
  const held = defineHeld(() => door.closed)
  const { attachment, kafka, position } = await createTestAttachment(t, held, { bounds, database })
  const text = 'x'.repeat(256 * 1024)
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)

  await kafka.deliver(
    batch(
      0,
      [0, 1, 2].map(offset => fetched(offset, { n: 1, text }))
    )
  )
  t.notOk(kafka.calls.includes('pause 0'))
  await kafka.deliver(
    batch(
      3,
      [3, 4, 5].map(offset => fetched(offset, { n: 1, text }))
    )
  )
  t.equal(kafka.calls.at(-1), 'pause 0')
  kafka.assign(0)
  await until(() => kafka.calls.at(-2) === 'start 0 6')
  t.equal(kafka.calls.at(-1), 'pause 0')

  door.open()
  await until(async () => (await position())?.next === 6)
  t.strictSame(
    kafka.calls.filter(call => call === 'resume 0'),
    ['resume 0']
  )
})

t.test('rule 6: tells Kafka nothing above the position, while it fetches ahead and at the stop', async t => {
  const door = createDoor()
  const held = defineHeld(({ offset }) => (Number(offset) < 10 ? undefined : door.closed))
  const { attachment, kafka, position } = await createTestAttachment(t, held, { bounds, database })
  const hints: [hint: number, position: number][] = []
  kafka.onCommit = async positions => {
    const hint = Number(positions.get(0) ?? 0n)
    hints.push([hint, (await position())?.next ?? 0])
  }
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)

  await kafka.deliver(batch(0, range(0, 10)))
  await kafka.deliver(batch(10, range(10, 20)))
  await until(() => hints.some(([hint]) => hint === 10))
  const stopped = attachment.stop(performance.now() + 2_000)
  door.open()
  await stopped

  const { next } = (await position()) ?? { next: 0 }
  t.ok(next < 20, `${next} is settled of 20 that were fetched`)
  t.ok(hints.every(([hint, at]) => hint <= at))
  t.equal(hints.at(-1)?.[0], next, 'the last one at the stop')
})

t.test('drops what is in hand when someone else moved the position, and goes on from there', async t => {
  const door = createDoor()
  const held = defineHeld(() => door.closed)
  const { attachment, kafka, stored, position, setPosition } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0, 1)
  await until(() => kafka.calls.length === 2)
  await kafka.deliver(batch(0, range(0, 2)))
  await kafka.deliver(batch(0, range(0, 2), { partition: 1 }))

  await setPosition(1)
  door.open()
  // Well before the positions are read again anyway.
  await until(() => kafka.calls.includes('start 0 1'), 5_000)
  await kafka.deliver(batch(1, range(1, 2)))
  await until(async () => (await position())?.next === 2 && (await position(1))?.next === 2)

  t.strictSame(await stored(), [1], 'what another owner settled is not settled here')
  t.strictSame(await stored(1), [0, 1], 'the others go on')
})

t.test('rule 4: drops what is in hand when another owner found the topic to be another one', async t => {
  const door = createDoor()
  const { attachment, kafka, stored, sql } = await createTestAttachment(
    t,
    defineHeld(() => door.closed),
    { bounds, database }
  )
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 2)))

  await sql`UPDATE topic_status SET topic_id = ${TOPIC_ID.replace(/1$/, '2')}`
  door.open()
  await until(() => kafka.calls.length === 2, 5_000)

  t.equal(kafka.calls[1], 'start 0 0')
  t.strictSame(await stored(), [])
})

t.test('rule 4: a topic that was made anew is handled from its start', async t => {
  const { attachment, kafka, stored, position, sql } = await createTestAttachment(t, inbox, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 3)))
  await until(async () => (await position())?.next === 3)

  kafka.topicId = TOPIC_ID.replace(/1$/, '2')
  kafka.crash()
  await until(() => kafka.consumers.length === 2)
  kafka.assign(0)
  await until(() => kafka.calls.length === 2)
  t.equal(kafka.calls[1], 'start 0 0')
  await kafka.deliver(batch(0, range(0, 1)))
  await until(async () => (await position())?.next === 1)

  t.strictSame(await stored(), [0, 0, 1, 2], 'another record, although offset and bytes are the same')
  const [row] = await sql`SELECT topic_id::text AS id FROM topic_status`
  t.equal(row?.id, kafka.topicId)
})

t.test('stops at its deadline although PostgreSQL does not answer', { timeout: 20_000 }, async t => {
  const limits = { lockTimeoutMs: 60_000, statementTimeoutMs: 60_000, idleTimeoutMs: 60_000 }
  for (const definition of [inbox, defineTestFunction({ event, handle: () => null })]) {
    const { attachment, kafka, sql } = await createTestAttachment(t, definition, {
      bounds,
      limits,
      // Its transaction may outlive the stop, and would meet the emptying of a shared one.
      database: await createTestDatabase(t)
    })
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    const locked = createDoor()
    const release = createDoor()
    const holding = sql.begin(async tx => {
      await tx`SELECT 1 FROM topic_status FOR UPDATE`
      locked.open()
      await release.closed
    })
    await locked.closed
    await kafka.deliver(batch(0, range(0, 1)))
    await until(async () => {
      const [row] = await sql`SELECT count(*)::int AS waiting FROM pg_locks WHERE NOT granted`
      return row?.waiting > 0
    })

    const deadlineMs = performance.now() + 300
    await attachment.stop(deadlineMs)
    t.ok(performance.now() < deadlineMs + 2_000, 'gives up, and leaves the group')
    t.equal(kafka.consumers[0]?.isStopped, true)
    release.open()
    await holding
    const [row] =
      await sql`SELECT next_offset::int AS next, (SELECT count(*)::int FROM messages) AS messages FROM topic_status`
    t.equal(row?.messages, row?.next, 'all of the transaction that was under way, or nothing')
  }
})

t.test('writes what is handled before it leaves, and begins nothing', async t => {
  const door = createDoor()
  const calls: string[] = []
  const held = defineHeld(input => {
    calls.push(input.offset)
    return door.closed
  })
  const { attachment, kafka, stored } = await createTestAttachment(t, held, { bounds, database })
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 5)))
  await until(() => calls.length === 1)

  const stopped = attachment.stop(performance.now() + 5_000)
  door.open()
  await stopped

  t.strictSame(calls, ['0'])
  t.strictSame(await stored(), [0])
})

t.test('can be stopped before it was started, and twice', async t => {
  const { attachment } = await createTestAttachment(t, inbox, { bounds, database })
  await attachment.stop(performance.now() + 100)
  await attachment.stop(performance.now() + 100)
  t.pass()
})

t.test('rule 17: tells what stood still before it reads or makes a position', async t => {
  const rig = await createTestAttachment(t, inbox, { bounds, database })
  await rig.setPosition(5)
  await rig.setPosition(1_000, 1)
  await rig.sql`UPDATE topic_status SET updated_at = now() - interval '9 minutes'`
  rig.attachment.start()

  rig.kafka.assign(0, 1, 2)
  await until(() => rig.kafka.calls.length === 3)

  t.strictSame([...rig.stood.keys()], [0], 'of 1 all is settled, 2 is new')
  t.ok(Math.abs(Date.now() - 540_000 - (rig.stood.get(0) ?? 0)) < 60_000)
})
