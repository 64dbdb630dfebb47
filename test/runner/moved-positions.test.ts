import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createOperatorQueries } from '../../db/queries/operators.ts'
import { createPositionMoves } from '../../db/queries/position-moves.ts'
import { createPositionQueries } from '../../db/queries/positions.ts'
import { createWriter } from '../../db/writer.ts'
import { createTrials } from '../../runner/trial.ts'
import { createTurn } from '../../runner/turn.ts'
import { NonRetriableError, Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { createTestAttachment, TOPIC_ID } from './_support/attachment.ts'
import { batch, defineTestFunction, PLACE, range } from './_support/records.ts'

// An operator moves positions under an owner, who is busy or has nothing to do.

const event = Type.Object({ n: Type.Number() })
const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const database = await createTestDatabase(t)
const { databaseUrl, sql } = database
const writer = createWriter(databaseUrl, { applicationName: 'test-operator' })
t.teardown(() => writer.close())
const { move } = createPositionMoves(work => writer.transaction(work, LIMITS))

const moveTo = (next: bigint) =>
  move({
    ...PLACE,
    topicId: TOPIC_ID,
    to: new Map([[0, next]]),
    asked: null,
    operation: { id: randomUUID(), operator: null, requestId: null }
  })

for (const kind of ['inbox', 'transaction'] as const) {
  const define = (handle: (input: Input<typeof event>) => unknown): LoadedFunction => {
    return { ...defineTestFunction({ event, handle }), kind }
  }

  t.test(`rule 3: an idle owner goes on from where an operator put it, and doubles nothing (${kind})`, async t => {
    const rig = await createTestAttachment(
      t,
      define(() => undefined),
      { bounds, database }
    )
    const { attachment, kafka, stored, position } = rig
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)
    await kafka.deliver(batch(0, range(0, 5)))
    await until(async () => (await position())?.next === 5)

    await moveTo(2n)
    await attachment.readPositions()
    t.equal(kafka.calls.at(-1), 'start 0 2')
    await kafka.deliver(batch(2, range(2, 7)))
    await until(async () => (await position())?.next === 7)

    t.strictSame(await stored(), [0, 1, 2, 3, 4, 5, 6])
    t.equal((await position())?.duplicates, 3, 'those that were settled already')
    t.strictSame([...(await sql`SELECT FROM dead_letters`)], [])
  })

  t.test(`rule 5: an owner drops what it has in hand when an operator moved its position (${kind})`, async t => {
    let letGo = () => {}
    const isHeld = new Promise<void>(resolve => {
      letGo = resolve
    })
    const calls: string[] = []
    const definition = define(async ({ offset }) => {
      calls.push(offset)
      // The other kind holds the lock of its position while it handles.
      if (kind === 'inbox' && offset === '2') await isHeld
    })
    const { attachment, kafka, stored, position } = await createTestAttachment(t, definition, { bounds, database })
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    await kafka.deliver(batch(0, range(0, 2)))
    await until(async () => (await position())?.next === 2)
    if (kind === 'inbox') {
      await kafka.deliver(batch(2, range(2, 5)))
      await until(() => calls.includes('2'))
    }
    await moveTo(500n)
    letGo()
    if (kind === 'transaction') await kafka.deliver(batch(2, range(2, 5)))
    await until(() => kafka.calls.at(-1) === 'start 0 500')
    await kafka.deliver(batch(500, range(500, 502)))
    await until(async () => (await position())?.next === 502)

    t.strictSame(await stored(), [0, 1, 500, 501], 'what was skipped is not handled')
  })

  t.test(`rule 18: an owner notes what it begins with after an operator moved its position (${kind})`, async t => {
    const notes: unknown[] = []
    const definition = define(async ({ offset }) => {
      const [row] = await sql`SELECT trying_offset::int AS at FROM topic_status`
      notes.push([offset, row?.at])
    })
    const positions = createPositionQueries(sql)
    const createTrial = createTrials({ ...PLACE, positions, maxAttempts: 2, turn: createTurn(), log: silent })
    const options = { bounds, database, createTrial }
    const { attachment, kafka, position } = await createTestAttachment(t, definition, options)
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)
    await kafka.deliver(batch(0, range(0, 1)))
    await until(async () => (await position())?.next === 1)

    await moveTo(500n)
    await attachment.readPositions()
    await kafka.deliver(batch(500, range(500, 501)))
    await until(async () => (await position())?.next === 501)

    t.strictSame(notes, [
      ['0', 0],
      ['500', 500]
    ])
  })

  t.test(`a paused owner follows as well, and handles nothing before it is resumed (${kind})`, async t => {
    const calls: string[] = []
    const definition = define(({ offset }) => void calls.push(offset))
    const { attachment, kafka, brake, position } = await createTestAttachment(t, definition, { bounds, database })
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)
    brake.set('paused', 'an operator')
    await kafka.deliver(batch(0, range(0, 3)))

    await moveTo(100n)
    await attachment.readPositions()
    t.equal(kafka.calls.at(-1), 'start 0 100')
    await kafka.deliver(batch(100, range(100, 102)))
    t.equal((await position())?.next, 100)
    brake.set('free')
    await until(async () => (await position())?.next === 102)

    t.strictSame(calls, ['100', '101'])
  })
}

t.test('rule 18: what is dropped and fetched once more keeps its note', async t => {
  const calls: string[] = []
  const handle = async ({ offset }: Input<typeof event>) => {
    const [row] = await sql`SELECT trying_offset::int AS at, trying_count AS count FROM topic_status`
    calls.push(`${offset} noted ${row?.at} ${row?.count}`)
    if (calls.length === 1) throw new NonRetriableError('no')
  }
  const positions = createPositionQueries(sql)
  const createTrial = createTrials({ ...PLACE, positions, maxAttempts: 2, turn: createTurn(), log: silent })
  const definition: LoadedFunction = { ...defineTestFunction({ event, handle }), kind: 'inbox' }
  const { attachment, kafka, brake, position } = await createTestAttachment(t, definition, {
    bounds,
    database,
    createTrial
  })
  // Another runner of the group saw a flood: the first that dies here is one more of it.
  const stop = { reason: 'a flood', text: 'a flood', fileHash: definition.fileHash }
  await createOperatorQueries(sql).stop(PLACE, stop)
  attachment.start()
  kafka.assign(0)
  await until(() => kafka.calls.length === 1)
  await kafka.deliver(batch(0, range(0, 1)))
  await until(() => kafka.calls.length === 2)

  brake.set('free')
  await kafka.deliver(batch(0, range(0, 1)))
  await until(async () => (await position())?.next === 1)

  t.strictSame(calls, ['0 noted 0 -1', '0 noted 0 -1'])
})
