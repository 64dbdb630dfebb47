import { rmSync, writeFileSync } from 'node:fs'
import { BROKEN } from '../broken.ts'
import { retry } from '../postgres.ts'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, isSoon } from './fault.ts'
import { countLetters, redriveAll, redriveTwice } from './letters.ts'
import { makeBatches, sendOwn } from './own-events.ts'

/** Few enough that no breaker takes them for a flood, and several transactions of a redrive. */
const SLOW = { topic: 'fragile', kind: 'slow', name: 'again', count: 360 } as const
/** A function that gives rows has them written in one transaction. */
const ROWS = { topic: 'poison', kind: 'broken', name: 'rows', count: 100 } as const
const BATCH_SIZE = 20
const STANDBY = 'synchronous_standby_names'

/** Row 12: dead letters that run again while those who run them die. */
export const redriveFaults: readonly Fault[] = [
  {
    row: 12,
    name: 'redrive-killed',
    title:
      'dead letters are redriven through two gateways at once, and runners are killed in it, before and after COMMIT',
    inject: killRedrivers
  }
]

async function killRedrivers(context: FaultContext): Promise<void> {
  const { system, random } = context
  writeFileSync(system.switchFile, '')
  try {
    for (const some of [SLOW, ROWS]) await makeDead(context, some)
  } finally {
    rmSync(system.switchFile, { force: true })
  }
  const rows = { topic: ROWS.topic, error: BROKEN }
  await killInCommit(context, { isDone: false, begin: () => redriveTwice(context, rows) })

  const redriving = redriveAll(context, { topic: SLOW.topic }, `${SLOW.name}-`)
  await whileRedriving(context)
  random.pick(system.runners).process.signal('SIGKILL')
  await whileRedriving(context)
  await killInCommit(context, { isDone: true, begin: async () => undefined })
  await Promise.all([redriving, redriveAll(context, rows, `${ROWS.name}-`)])
}

async function makeDead(context: FaultContext, { topic, ...options }: typeof SLOW | typeof ROWS): Promise<void> {
  const { system, random, history, signal } = context
  for (const events of makeBatches({ ...options, size: BATCH_SIZE })) {
    await sendOwn(context, { url: random.pick(system.gateways).url, topic, events })
  }
  const prefix = `${options.name}-`
  const isOwn = (ref: string) => ref.startsWith(prefix)
  const acked = history.lines.filter(({ ref, outcome }) => isOwn(ref) && outcome.kind === 'acked').length
  const areDead = async () => (await countLetters(system, topic, prefix)).dead >= acked
  if (acked > 0 && (await isSoon(areDead, { timeoutMs: 60_000, signal }))) return
  throw new Error(`of ${acked} events of ${topic}, ${JSON.stringify(await countLetters(system, topic, prefix))}`)
}

/** Waits until another letter is resolved, and some are not. */
async function whileRedriving({ system, isOnly, signal }: FaultContext): Promise<void> {
  const count = () => countLetters(system, SLOW.topic, `${SLOW.name}-`)
  const before = await count()
  const isInTheMiddle = async () => {
    const { resolved, redriving } = await count()
    return resolved > before.resolved && redriving > 0
  }
  const isThere = await isSoon(isInTheMiddle, { timeoutMs: 30_000, signal })
  if (isOnly && !isThere) throw new Error('nothing was being redriven when a runner was to be killed')
}

/**
 * Kills every runner when a redrive is in its COMMIT: before PostgreSQL has it, or when it is done and not answered yet,
 * as it waits for a standby that there is not.
 */
async function killInCommit(
  { system, isOnly, signal }: FaultContext,
  { isDone, begin }: { isDone: boolean; begin: () => Promise<void> }
): Promise<void> {
  const { admin } = system.postgres
  const links = system.runners.map(({ database }) => database)
  const set = (value: string) => retry(() => admin.unsafe(`ALTER SYSTEM SET ${STANDBY} = ${value}`))
  if (isDone) await set("'nobody'").then(() => admin`SELECT pg_reload_conf()`)
  else await Promise.all(links.map(link => link.set({ heldAt: 'COMMIT\0' })))
  await begin()

  const isInCommit = async () => (await findCommits(system, isDone)) > 0
  const isCaught = await isSoon(isInCommit, { timeoutMs: 10_000, signal })
  for (const { process } of system.runners) process.signal('SIGKILL')
  system.note(`runners killed ${isDone ? 'after' : 'before'} the COMMIT of a redrive${isCaught ? '' : ', or of none'}`)
  // What was held never arrives.
  for (const link of links) link.reset()
  if (isDone) await set('DEFAULT').then(() => admin`SELECT pg_reload_conf()`)
  else await Promise.all(links.map(link => link.set({ heldAt: null })))
  if (isOnly && !isCaught) throw new Error('no redrive was in its COMMIT')
}

/** Counts redrives that wait for their COMMIT, or in it. */
async function findCommits({ postgres: { admin }, database }: System, isDone: boolean): Promise<number> {
  const rows = await admin`
    SELECT FROM pg_stat_activity WHERE datname = ${database.name} AND application_name = 'smg-runner-redrive'
      AND CASE WHEN ${isDone} THEN wait_event = 'SyncRep'
        ELSE state = 'idle in transaction' AND state_change < clock_timestamp() - interval '200 ms' END`
  return rows.length
}
