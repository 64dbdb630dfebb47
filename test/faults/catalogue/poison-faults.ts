import { rmSync, writeFileSync } from 'node:fs'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, isSoon, seconds } from './fault.ts'
import { countLetters, redriveAll } from './letters.ts'
import { makeBatches, sendOwn } from './own-events.ts'
import { restart } from './restart.ts'

const CRASHED_MS = 150_000
/**
 * Two ends pass before records are handled one at a time, and `maxAttempts` of `poison` is 2 there; a rebalance that
 * comes in between may cost some more.
 */
const MOST_ENDS = 8
/** The breaker's window: before so many have been seen it says nothing, and then no more than half of them have died. */
const MOST_DEAD = 1_000
const BROKEN_COUNT = 1_500
const BATCH_SIZE = 50

/** Row 10: events, and functions, that cannot be handled. */
export const poisonFaults: readonly Fault[] = [
  {
    row: 10,
    name: 'poison-many',
    title: 'one in ten events of some functions cannot be handled',
    setup: () => ({ poisonShare: 0.1 }),
    inject: async () => undefined
  },
  deadly('exits', 'exit', 'an event ends the process of every runner that tries it'),
  deadly('memory', 'exhaust', 'an event uses up the memory of every runner that tries it'),
  deadly('rejects', 'reject', 'an event leaves a rejected promise that nobody handles'),
  {
    row: 10,
    name: 'poison-all',
    title: 'a function is broken for everything: it stops, is mended, resumed, and its dead letters are redriven',
    isAlone: true,
    inject: breakFunction
  }
]

/** Poison that no process survives: one dead letter in the end, and its neighbours have their effects. */
function deadly(what: string, kind: string, title: string): Fault {
  return {
    row: 10,
    name: `poison-${what}`,
    title,
    needs: ['crash-counting'],
    isAlone: true,
    async inject(context) {
      const { system, signal } = context
      const startsBefore = countStarts(system)
      const url = system.gateways[0]?.url ?? ''
      const events = [
        { ref: 'x0', key: 'deadly', seq: 1 },
        { ref: 'x1', key: 'deadly', seq: 2, kind, expected: 'dead' },
        { ref: 'x2', key: 'deadly', seq: 3 }
      ] as const
      const [, line] = await sendOwn(context, { url, topic: 'poison', events })
      if (line?.outcome.kind !== 'acked') throw new Error(`the poison was not taken: ${JSON.stringify(line?.outcome)}`)

      const { id } = line.outcome
      const find = () => system.database.sql`
        SELECT disposition, attempts FROM dead_letters WHERE topic = 'poison' AND event_id = ${id}`
      await isSoon(async () => (await find()).length > 0, { timeoutMs: CRASHED_MS, signal })
      const [letter] = await find()
      const ends = countStarts(system) - startsBefore
      system.note(`${ends} processes ended, and then: ${JSON.stringify(letter ?? null)}`)
      if (ends === 0) throw new Error('no process ended')
      if (letter?.disposition !== 'crashed') system.blame('I1', `poison that ends processes is ${letter?.disposition}`)
      if (ends > MOST_ENDS) system.blame('I7', `${ends} processes ended of one event`)
    }
  }
}

function countStarts({ runners }: System): number {
  return runners.reduce((sum, { process }) => sum + process.starts(), 0)
}

async function breakFunction(context: FaultContext): Promise<void> {
  const { system, signal } = context
  const gateway = system.gateways[0]
  const url = gateway?.url ?? ''
  const stateOf = async () => {
    const answer = await fetch(`${url}/api/functions/fragile`, { signal: AbortSignal.timeout(3_000) })
    return ((await answer.json()) as { state?: string }).state
  }

  writeFileSync(system.switchFile, '')
  try {
    for (const events of makeBatches({ name: 'all', count: BROKEN_COUNT, size: BATCH_SIZE })) {
      await sendOwn(context, { url, topic: 'fragile', events })
    }
    const isStopped = await isSoon(async () => (await stateOf()) === 'stopped', { timeoutMs: 60_000, signal })
    if (!isStopped) system.blame('I9', `a function that fails for everything is ${await stateOf()}, and not stopped`)
    await expectStandstill(context)
    if ((await stateOf()) !== 'stopped') system.blame('I9', 'a stopped function went on by itself')
  } finally {
    rmSync(system.switchFile, { force: true })
  }
  const answer = await fetch(`${url}/api/functions/fragile/resume`, { method: 'POST' })
  if (answer.status !== 202) throw new Error(`the function cannot be resumed: ${answer.status}`)
  const isRunning = async () => (await stateOf()) === 'running' && (await countMessages(system, 'fragile')) > 0
  if (!(await isSoon(isRunning, { timeoutMs: 30_000, signal }))) {
    system.blame('I7', `a function that was mended and resumed is ${await stateOf()}`)
  }
  await redriveAll(context, { topic: 'fragile' }, 'all-')
}

/** No more of the function dies, a new runner changes nothing about it, and other functions go on. */
async function expectStandstill(context: FaultContext): Promise<void> {
  const { system, random, signal } = context
  const { dead } = await countLetters(system, 'fragile', 'all-')
  system.note(`stopped with ${dead} dead letters`)
  if (dead > MOST_DEAD) system.blame('I8', `${dead} dead letters of one function, and ${MOST_DEAD} are the most`)
  await restart(random.pick(system.runners), context)

  const url = system.gateways[0]?.url ?? ''
  for (const events of makeBatches({ name: 'beside', count: BATCH_SIZE, size: BATCH_SIZE })) {
    await sendOwn(context, { url, topic: 'entries', events })
  }
  const find = () => system.database.sql`SELECT FROM fault_entries WHERE ref LIKE 'beside-%'`
  const hasEffects = await isSoon(async () => (await find()).length === BATCH_SIZE, { timeoutMs: 20_000, signal })
  if (!hasEffects) system.blame('I7', 'a function stands still because another one is broken')
  await seconds(1, signal)

  const after = await countLetters(system, 'fragile', 'all-')
  if (after.dead > dead) system.blame('I8', `${after.dead - dead} more events died of a function that is stopped`)
}

async function countMessages({ database }: System, topic: string): Promise<number> {
  const [row] = await database.sql`SELECT count(*)::int AS count FROM messages WHERE topic = ${topic}`
  return row?.count ?? 0
}
