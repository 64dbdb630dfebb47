import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from 'postgres'
import type { HistoryWriter } from './history.ts'
import { connect, retry } from './postgres.ts'
import type { Member, System } from './system.ts'

/** What an outage of PostgreSQL did to the runners. */
interface OutageFigures {
  /** From the first connection that PostgreSQL took until the first new effect; null: there was none for 10 s. */
  readonly effectMs: number | null
  readonly awayMs: number
  /** Share of one processor while PostgreSQL was away, of each runner that lived all the while. */
  readonly cpuShares: readonly { readonly name: string; readonly share: number }[]
  /** Assignments of partitions, of all groups and runners together. */
  readonly rebalances: number
  /** Dead letters of events with which nothing was wrong. */
  readonly deadLetters: number
}

/** An outage that is under way. */
export interface Outage {
  /** Call when PostgreSQL is about to be started: until then it was away. */
  end(): void
  /** Resolves with the first new effect, or after 10 s without one. */
  measure(): Promise<OutageFigures>
}

// The kernel's USER_HZ, which is 100 wherever Linux runs.
const TICK_MS = 10
const POLL_MS = 20
const EFFECT_TIMEOUT_MS = 10_000
const START_TIMEOUT_MS = 60_000

/** Begins to measure; call it before PostgreSQL goes away. */
export async function openOutage(system: System, history: HistoryWriter): Promise<Outage> {
  // A link of its own, that does not wait before it connects again.
  const sql = connect(system.database.url, { max: 1, backoff: () => 0.01, connect_timeout: 2 })
  const deadBefore = await retry(() => countGoodDead(sql, history))
  const assignedBefore = countAssignments(system)
  const startedMs = performance.now()
  const before = system.runners.map(runner => ({ runner, pid: runner.process.pid(), cpuMs: readCpuMs(runner) }))
  let awayMs = 0
  let cpuShares: OutageFigures['cpuShares'] = []

  return {
    end() {
      awayMs = performance.now() - startedMs
      cpuShares = before.flatMap(({ runner, pid, cpuMs }) => {
        const nowMs = readCpuMs(runner)
        const isSame = runner.process.pid() === pid && cpuMs !== null && nowMs !== null
        return isSame ? [{ name: runner.name, share: (nowMs - cpuMs) / awayMs }] : []
      })
    },
    async measure() {
      const effectMs = await waitForEffect(sql)
      const rebalances = countAssignments(system) - assignedBefore
      const deadLetters = (await retry(() => countGoodDead(sql, history))) - deadBefore
      await sql.end({ timeout: 1 })
      return { effectMs, awayMs, cpuShares, rebalances, deadLetters }
    }
  }
}

async function waitForEffect(sql: Sql): Promise<number | null> {
  const first = await untilAnswered(sql)
  const acceptedMs = performance.now()
  while (first !== null && performance.now() - acceptedMs < EFFECT_TIMEOUT_MS) {
    if ((await countMessages(sql).catch(() => 0)) > first) return performance.now() - acceptedMs
    await sleep(POLL_MS)
  }
  return null
}

async function untilAnswered(sql: Sql): Promise<number | null> {
  for (const untilMs = Date.now() + START_TIMEOUT_MS; Date.now() < untilMs; await sleep(POLL_MS)) {
    const count = await countMessages(sql).catch(() => null)
    if (count !== null) return count
  }
  return null
}

async function countMessages(sql: Sql): Promise<number> {
  const [row] = await sql`SELECT count(*)::int AS count FROM messages`
  return row?.count ?? 0
}

/** User and system time of a process (proc(5), fields 14 and 15 of stat); null when there is none. */
function readCpuMs({ process }: Member): number | null {
  try {
    const stat = readFileSync(`/proc/${process.pid()}/stat`, 'utf8')
    // The name before may have spaces in it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return null
  }
}

function countAssignments({ runners, folder }: System): number {
  return runners.reduce((sum, { name }) => sum + readLog(folder, name).split('"partitions assigned"').length - 1, 0)
}

function readLog(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, 'logs', `${name}.log`), 'utf8')
  } catch {
    return ''
  }
}

async function countGoodDead(sql: Sql, history: HistoryWriter): Promise<number> {
  const good = new Set<string>()
  for (const { topic, ref, expected } of history.lines) if (expected === 'effect') good.add(`${topic}/${ref}`)
  const rows = await sql`SELECT topic, value FROM dead_letters WHERE value IS NOT NULL`
  return rows.filter(({ topic, value }) => good.has(`${topic}/${refOf(value)}`)).length
}

function refOf(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString())?.ref
  } catch {
    // Garbage, which was never good.
    return undefined
  }
}
