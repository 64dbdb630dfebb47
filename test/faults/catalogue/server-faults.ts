import { retry } from '../postgres.ts'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'

const HOUR_MS = 3_600_000
const CLOCK_TOLERANCE_MS = 60_000

/** Rows 6 and 13: a standby that takes over, and a server whose clock is off. */
export const serverFaults: readonly Fault[] = [
  {
    row: 6,
    name: 'postgres-failover',
    title: 'PostgreSQL is killed, and an asynchronous standby takes over at its address',
    // What was committed last may not have reached the standby.
    setup: () => ({ rewinds: true }),
    inject: failOver
  },
  ...(['ahead', 'behind'] as const).map(
    (where): Fault => ({
      row: 13,
      name: `database-clock-${where}`,
      title: `the clock of PostgreSQL is an hour ${where} for a while`,
      needs: ['faketime'],
      inject: context => shiftClock(context, where === 'ahead' ? 1 : -1)
    })
  )
]

async function failOver({ system, random, signal }: FaultContext): Promise<void> {
  const { postgres } = system
  const standby = await postgres.startStandby()
  try {
    await standby.expectStreaming()
    const timeline = await readTimeline(system)
    system.note('the standby streams')
    await seconds(system.isFull ? 30 : 2, signal)
    await standby.expectStreaming()

    await standby.stop()
    await seconds(random.next() * 0.4, signal)
    const before = await retry(() => countMessages(system))
    await postgres.process.end('SIGKILL')
    await standby.takePlace()
    await postgres.process.start()
    const isReadOnly = await retry(() => isInRecovery(system))
    if (!isReadOnly) throw new Error('the standby came up as a server of its own')
    // Nobody has told it yet: it refuses to write.
    await seconds(0.5 + random.next(), signal)
    const kept = await retry(() => countMessages(system))
    await retry(() => postgres.admin`SELECT pg_promote()`)
    if (await retry(() => isInRecovery(system))) throw new Error('the standby was not promoted')
    const next = await readTimeline(system)
    if (next <= timeline) throw new Error(`the timeline is ${next}, as it was`)
    system.note(`promoted to timeline ${next}; ${Math.max(0, before - kept)} of ${before} messages were not there yet`)
  } finally {
    await standby.discard()
  }
}

async function isInRecovery({ postgres }: System): Promise<boolean> {
  const [row] = await postgres.admin`SELECT pg_is_in_recovery() AS answer`
  return row?.answer as boolean
}

async function readTimeline({ postgres }: System): Promise<number> {
  const [row] = await retry(
    () => postgres.admin`SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline`
  )
  return row?.timeline ?? 0
}

async function countMessages({ database }: System): Promise<number> {
  const [row] = await database.sql`SELECT count(*)::int AS count FROM messages`
  return row?.count ?? 0
}

async function shiftClock({ system, signal }: FaultContext, hours: 1 | -1): Promise<void> {
  const { postgres } = system
  try {
    await postgres.setClock(`${hours > 0 ? '+' : '-'}1h`)
    await expectClock(system, hours * HOUR_MS)
    await seconds(system.isFull ? 60 : 6, signal)
    await expectTrueDurations(system)
    // What they hold by the clock that was off is still theirs when it is right again, and they are gone.
    for (const { process } of system.runners) process.signal('SIGKILL')
  } finally {
    await postgres.setClock(null)
  }
  await expectClock(system, 0)
  await seconds(2, signal)
  await expectTrueDurations(system)
}

async function expectClock({ postgres }: System, offsetMs: number): Promise<void> {
  const [row] = await retry(() => postgres.admin`SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms`)
  const actualMs = (row?.ms ?? 0) - Date.now()
  if (Math.abs(actualMs - offsetMs) > CLOCK_TOLERANCE_MS) {
    throw new Error(`the clock of PostgreSQL is off by ${Math.round(actualMs)} ms, and not by ${offsetMs}`)
  }
}

/** However the clocks differ, nothing takes less than no time. */
async function expectTrueDurations({ gateways, runners, blame }: System): Promise<void> {
  for (const { name, url } of [...gateways, ...runners]) {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).catch(() => null)
    const text = answer?.ok ? await answer.text() : ''
    const negative = text.split('\n').find(line => /^smg_\S+ -\d/.test(line))
    if (negative) blame('I9', `${name} measures ${negative}`)
  }
}
