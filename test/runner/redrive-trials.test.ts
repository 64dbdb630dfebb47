import t from 'tap'
import { createGate } from '../../runner/gate.ts'
import { createMetrics } from '../../runner/metrics.ts'
import { createRedriver } from '../../runner/redrive.ts'
import { createRedriveTrials } from '../../runner/redrive-trials.ts'
import { createTurn, type Turn } from '../../runner/turn.ts'
import { createWriterPool } from '../../runner/writer-pool.ts'
import { Type } from '../../sdk/index.ts'
import type { Input } from '../../sdk/types.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { defineTestFunction, idOf, noPublish, PLACE } from './_support/records.ts'

const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const { databaseUrl, sql } = await createTestDatabase(t)

const letterId = (offset: number) => idOf(1_000 + offset)

/** Writes dead letters that are to be redriven, by their keys, at the offsets 0, 1, 2, … */
async function bury(keys: readonly string[]) {
  await sql`TRUNCATE messages, dead_letters, redrive_trials, topic_status`
  for (const [offset, key] of keys.entries()) {
    await sql`
      INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp, stage,
        disposition, error_name, error_message, attempts, state)
      VALUES (${letterId(offset)}, ${PLACE.groupId}, ${PLACE.topic}, ${idOf(offset)}, 0, ${offset}, ${Buffer.from(key)},
        '{}', '[]', now(), 'handle', 'attempts_exhausted', 'Error', 'no', 3, 'redriving')`
  }
}

/** What processes left behind: by offset, how often one ended there. */
async function leave(ends: Record<number, number>) {
  for (const [offset, starts] of Object.entries(ends))
    await sql`INSERT INTO redrive_trials (dead_letter_id, starts) VALUES (${letterId(Number(offset))}, ${starts})`
}

type Handle = (input: Input, context: { attempt: number }) => unknown

function createTestRedriver(
  t: Teardown,
  handle: Handle,
  { turn = createTurn(), ...options }: { turn?: Turn; backoffMs?: object } = {}
) {
  const pool = createWriterPool(databaseUrl, { size: 1, applicationName: 'test' })
  const shutdown = new AbortController()
  const definition = defineTestFunction({
    event: Type.Object({}),
    maxAttempts: 2,
    backoffMs: { min: 1, max: 1 },
    ...options,
    handle: (input: Input, context: { attempt: number }) => handle(input, context)
  })
  const redriver = createRedriver({
    definition,
    pool,
    limits,
    write: { ...PLACE, ordering: 'partition', rowWriter: null, toOutboxEntries: () => [], nowMs: Date.now },
    settle: { log: silent, shutdown: shutdown.signal, toPublished: noPublish },
    trials: createRedriveTrials(sql),
    gate: createGate(64),
    turn,
    metrics: createMetrics(),
    isPaused: () => false,
    log: silent
  })
  redriver.start()
  t.teardown(async () => {
    await redriver.stop()
    shutdown.abort()
    await pool.close()
  })
  return redriver
}

/** By offset. */
async function notes(): Promise<Record<string, number>> {
  const rows = await sql`
    SELECT "offset"::text AS at, starts FROM redrive_trials JOIN dead_letters ON id = dead_letter_id ORDER BY "offset"`
  return Object.fromEntries(rows.map(({ at, starts }) => [at, starts]))
}

async function isOver(): Promise<boolean> {
  return (await sql`SELECT FROM dead_letters WHERE state = 'redriving'`).length === 0
}

async function states(): Promise<string[]> {
  const rows = await sql`SELECT state FROM dead_letters ORDER BY "offset"`
  return rows.map(({ state }) => state)
}

t.test('rule 18: notes what it is about to redrive, before the first call, and nothing stays of it', async t => {
  await bury(['a', 'b', 'c'])
  const seen: unknown[] = []
  createTestRedriver(t, async () => {
    seen.push(await notes())
  }).wake()

  await until(isOver)

  t.strictSame(seen[0], { 0: 0, 1: 0, 2: 0 }, 'all of them at once')
  t.strictSame(await notes(), {})
})

t.test(
  'rule 18: handles alone what a process left behind, with each start counted, and all else before it',
  async t => {
    await bury(['a', 'b', 'c', 'c', 'd'])
    await leave({ 0: 0, 2: 1 })
    const seen: [string, object][] = []
    createTestRedriver(t, async ({ offset }) => {
      seen.push([offset, await notes()])
    }).wake()

    await until(isOver)

    t.strictSame(seen, [
      ['1', { 0: 0, 1: 0, 2: 1, 4: 0 }],
      ['4', { 0: 0, 1: 0, 2: 1, 4: 0 }],
      ['0', { 0: 1, 2: 1 }],
      ['2', { 2: 2 }],
      ['3', { 3: 0 }]
    ])
    t.strictSame(new Set(await states()), new Set(['resolved']))
    t.strictSame(await notes(), {})
  }
)

t.test('rule 18: a letter at which processes ended too often is dead again, and was not tried once more', async t => {
  await bury(['a', 'a', 'b'])
  await leave({ 0: 2, 1: 0, 2: 1 })
  const offsets: string[] = []
  createTestRedriver(t, ({ offset }) => offsets.push(offset) && undefined).wake()

  await until(isOver)

  t.strictSame(offsets, ['2'])
  t.strictSame(await states(), ['dead', 'dead', 'resolved'], 'what is behind it in its key goes back')
  const [letter] = await sql`SELECT disposition, attempts, error_name AS error FROM dead_letters WHERE "offset" = 0`
  t.strictSame({ ...letter }, { disposition: 'crashed', attempts: 5, error: 'SMG_RUNNER_CRASHED' })
  t.strictSame(Object.keys(await notes()), [], 'a redrive asked for anew begins anew')
})

t.test('rule 18: an attempt that fails is no end, and none that was counted is forgotten', async t => {
  await bury(['a'])
  await leave({ 0: 1 })
  const seen: unknown[] = []
  createTestRedriver(
    t,
    async (_input, { attempt }) => {
      seen.push([attempt, await notes()])
      if (attempt === 4) throw new Error('not yet')
    },
    { backoffMs: { min: 100, max: 100 } }
  ).wake()

  await until(isOver)

  t.strictSame(seen, [
    [4, { 0: 2 }],
    [5, { 0: 2 }]
  ])
  t.strictSame(await states(), ['resolved'])
})

t.test('rule 18: a stop in the middle of a letter counts as no end', async t => {
  await bury(['a', 'b'])
  await leave({ 0: 1 })
  const offsets: string[] = []
  const redriver = createTestRedriver(t, ({ offset }) => {
    offsets.push(offset)
    return offset === '0' ? new Promise(() => undefined) : undefined
  })
  redriver.wake()
  await until(() => offsets.includes('0'))
  t.strictSame(await notes(), { 0: 2 })

  await redriver.stop()

  t.strictSame(await notes(), { 0: 1 })
})

t.test('rule 18: a suspect waits for its turn without a transaction, and gives it on', async t => {
  await bury(['a', 'b'])
  await leave({ 0: 0 })
  const turn = createTurn()
  const held = await turn.take(new AbortController().signal)
  const offsets: string[] = []
  createTestRedriver(t, ({ offset }) => offsets.push(offset) && undefined, { turn }).wake()
  await until(() => held?.isWanted() ?? false)
  await new Promise(resolve => setTimeout(resolve, 300))

  const open = await sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'`
  t.equal(open.length, 0)
  t.strictSame(offsets, [])
  held?.end()
  await until(isOver)
  t.strictSame(offsets, ['1', '0'])

  const next = await turn.take(AbortSignal.timeout(1_000))
  t.ok(next)
})

t.test(
  'rule 18: a letter that waits for its next attempt gives the turn on, and its own start is not counted',
  async t => {
    await bury(['a'])
    await leave({ 0: 1 })
    const turn = createTurn()
    let calls = 0
    createTestRedriver(
      t,
      () => {
        calls += 1
        throw new Error('not yet')
      },
      { turn, backoffMs: { min: 60_000, max: 60_000 } }
    ).wake()
    await until(() => calls === 1)

    t.ok(await turn.take(AbortSignal.timeout(2_000)))

    t.strictSame(await notes(), { 0: 1 })
  }
)
