import t from 'tap'
import { writeFunctionState } from '../../db/queries/function-states.ts'
import { createOperatorQueries } from '../../db/queries/operators.ts'
import { createWriter } from '../../db/writer.ts'
import { createBrake } from '../../runner/brake.ts'
import { createFloodBreaker } from '../../runner/flood.ts'
import type { DeadRecord } from '../../runner/settled.ts'
import { Type } from '../../sdk/index.ts'
import type { Input } from '../../sdk/types.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, fetched, identified, PLACE } from './_support/records.ts'

const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const database = await createTestDatabase(t)
const { databaseUrl, sql } = database
const operators = createOperatorQueries(sql)
const writer = createWriter(databaseUrl, { applicationName: 'test' })
t.teardown(() => writer.close())

/** A breaker as one runner has it, on the counts that all share. */
function createBreaker({ fileHash = 'one' } = {}) {
  const brake = createBrake('free')
  const flood = createFloodBreaker({
    ...PLACE,
    brake,
    writeStop: stop => operators.stop(PLACE, { ...stop, fileHash }),
    writeGo: () => operators.go(PLACE.groupId),
    log: silent
  })
  return {
    brake,
    flood,
    /** Settles records in a transaction; `deaths` gives the messages of those that died. */
    settle: (records: number, deaths: readonly DeadRecord[] = []) =>
      writer.transaction(async tx => {
        await flood.check(tx, records, deaths)
        await tx.query('UPDATE topic_status SET message_count = message_count + $1 WHERE partition = 0', [
          records - deaths.length
        ])
      }, limits)
  }
}

const die = (
  count: number,
  { stage = 'handle', name = 'Error' }: { stage?: 'handle' | 'decode'; name?: string } = {}
) =>
  Array.from({ length: count }, (_, index): DeadRecord => {
    const error = Object.assign(new Error(`number ${index}`), { name })
    const reason = { kind: 'dead', stage, disposition: 'attempts_exhausted', attempts: 3, error } as const
    return { record: identified(index), reason }
  })

async function reset() {
  await sql`TRUNCATE function_states, topic_status`
  await sql`INSERT INTO topic_status (group_id, topic, partition, next_offset)
    SELECT ${PLACE.groupId}, ${PLACE.topic}, partition, 0 FROM generate_series(0, 2) AS partition`
}

const floods = [
  { when: 'all of the first thousand die of one reason', before: 0, deaths: 1_000 },
  { when: 'just more than half of the last thousand do', before: 499, deaths: 501 },
  { when: 'they die after many that did not', before: 5_000, deaths: 501 }
]
for (const { when, before, deaths } of floods) {
  t.test(`rule 20: trips when ${when}`, async t => {
    await reset()
    const { settle } = createBreaker()
    await settle(before)
    await settle(deaths - 1, die(deaths - 1))

    await t.rejects(settle(1, die(1)), { code: 'SMG_RUNNER_FLOOD', reason: 'handle Error' })
  })
}

const calm = [
  { when: 'half of the last thousand die', before: 500, deaths: die(500) },
  { when: 'fewer than a thousand were seen', before: 0, deaths: die(999) },
  {
    when: 'they die of different reasons',
    before: 0,
    deaths: [...die(500, { name: 'A' }), ...die(500, { name: 'B' })]
  },
  { when: 'they cannot be read', before: 0, deaths: die(1_000, { stage: 'decode' }) }
]
for (const { when, before, deaths } of calm) {
  t.test(`rule 20: goes on when ${when}`, async t => {
    await reset()
    const { settle } = createBreaker()

    await settle(before)
    await t.resolves(settle(deaths.length, deaths))
  })
}

for (const records of [300, 400, 600, 750, 900]) {
  t.test(`rule 20: tells 45 % of each ${records} from 55 %`, async t => {
    await reset()
    const { settle } = createBreaker()

    for (let cycle = 0; cycle < 6; cycle += 1) await settle(records, die(Math.round(records * 0.45)))
    await t.rejects(
      (async () => {
        for (let cycle = 0; cycle < 6; cycle += 1) await settle(records, die(Math.round(records * 0.55)))
      })(),
      { code: 'SMG_RUNNER_FLOOD' }
    )
  })
}

t.test('rule 20: neither a restart nor another runner begins a new count', async t => {
  await reset()
  await createBreaker().settle(600, die(600))

  await t.rejects(createBreaker().settle(400, die(400)), { code: 'SMG_RUNNER_FLOOD' })
})

t.test('rule 20: counts what other runners of the group settle, and what was settled before a restart', async t => {
  await reset()
  const other = createBreaker()

  // A foreign writer has one partition for himself: of 11 records one dies.
  for (let turn = 0; turn < 120; turn += 1) {
    await createBreaker().settle(10, die(10))
    await other.settle(100)
  }

  await createBreaker().settle(400, die(400))
  await t.rejects(createBreaker().settle(100, die(100)), { code: 'SMG_RUNNER_FLOOD' }, 'and still sees a flood')
})

t.test('rule 20: does not count what it settles itself twice', async t => {
  await reset()
  const { settle } = createBreaker()
  for (let turn = 0; turn < 100; turn += 1) await settle(10, die(5))

  await t.rejects(settle(1, die(1)), { code: 'SMG_RUNNER_FLOOD' })
})

t.test(
  'rule 20: what trips is not settled, and the function stands for every runner until its file changes',
  async t => {
    await reset()
    const { brake, flood, settle } = createBreaker()
    const error = await settle(1_000, die(1_000)).catch(thrown => thrown)
    const text = await flood.trip(error)

    t.equal(brake.mode(), 'stopped')
    t.match(text, /resume/)
    const stopped = (await operators.states([PLACE.groupId])).get(PLACE.groupId)
    t.match(stopped, { state: 'stopped', flood: { reason: 'handle Error', fileHash: 'one' } })
    await t.rejects(
      createBreaker().settle(1, die(1)),
      { code: 'SMG_RUNNER_FLOOD' },
      'another runner does not go on alone'
    )

    await operators.probe(PLACE.groupId, 'one')
    t.match((await operators.states([PLACE.groupId])).get(PLACE.groupId), { state: 'stopped' }, 'the same file')
    await operators.probe(PLACE.groupId, 'two')
    t.match((await operators.states([PLACE.groupId])).get(PLACE.groupId), { state: 'running', isProbe: true })
  }
)

t.test('rule 20: a transaction that was open when the function was stopped settles nothing either', async t => {
  await reset()
  const { brake, flood, settle } = createBreaker()
  await settle(990, die(990))
  await flood.trip(await settle(20, die(20)).catch(thrown => thrown))

  t.equal(brake.mode(), 'stopped')
  await t.rejects(settle(20, die(20)), { code: 'SMG_RUNNER_FLOOD' })
})

t.test('rule 20: a first record that dies of the same reason stops it again, and another one lets it go', async t => {
  await reset()
  const { brake, flood, settle } = createBreaker()
  await flood.trip(await settle(1_000, die(1_000)).catch(thrown => thrown))

  brake.set('probe', 'handle Error')
  await settle(1, die(1))
  await flood.committed()
  t.equal(brake.mode(), 'stopped')

  await operators.probe(PLACE.groupId, 'two')
  brake.set('probe', 'handle Error')
  await settle(1)
  await flood.committed()
  t.equal(brake.mode(), 'free')
  t.match((await operators.states([PLACE.groupId])).get(PLACE.groupId), {
    state: 'running',
    isProbe: false,
    flood: undefined
  })
})

t.test('rule 20: other runners settle what dies while a fault of ours holds the first record', async t => {
  await reset()
  const { flood, settle } = createBreaker()
  await flood.trip(await settle(1_000, die(1_000)).catch(thrown => thrown))
  await operators.probe(PLACE.groupId, 'two')
  await writeFunctionState(sql, { ...PLACE, state: 'stopped', reason: 'no table' })

  await t.resolves(createBreaker().settle(1, die(1)))
})

async function attach(t: Teardown, breaks: () => boolean, kind: 'rows' | 'transaction') {
  await reset()
  const event = Type.Object({ n: Type.Number() })
  const handle = async (_input: Input) => {
    if (breaks()) throw new RangeError('broken')
  }
  const definition = defineTestFunction({ event, maxAttempts: 1, handle })
  const bounds = { 0: { logStartOffset: 0n, logEndOffset: 10_000n } }
  const rig = await createTestAttachment(t, kind === 'rows' ? { ...definition, kind: 'inbox' } : definition, {
    bounds,
    database
  })
  rig.attachment.start()
  rig.kafka.assign(0)
  await until(() => rig.kafka.calls.length === 1)
  return rig
}

for (const kind of ['rows', 'transaction'] as const) {
  t.test(
    `rule 20: a broken function stops with bounded dead letters, and loses nothing when it is mended (${kind})`,
    async t => {
      let isBroken = true
      const { kafka, attachment, brake, position } = await attach(t, () => isBroken, kind)
      const records = Array.from({ length: 2_000 }, (_, offset) => fetched(offset))

      await kafka.deliver(batch(0, records))
      await until(() => attachment.state().state === 'stopped', 30_000)
      const { next } = (await position()) ?? { next: -1 }
      const [{ count }] = await sql<[{ count: number }]>`SELECT count(*)::int AS count FROM dead_letters`
      t.ok(count < 1_000, `${count} dead letters`)
      t.equal(count, next, 'and each record below the position is one')

      isBroken = false
      brake.set('probe', 'handle RangeError')
      if (kind === 'rows') await until(() => kafka.calls.length > 1)
      if (kind === 'rows') await kafka.deliver(batch(next, records.slice(next)))
      await until(async () => (await position())?.next === 2_000, 30_000)

      t.equal(brake.mode(), 'free')
      const [settled] = await sql`SELECT count(*)::int AS count FROM messages`
      t.equal(settled?.count, 2_000 - count)
    }
  )
}
