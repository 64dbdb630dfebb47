import { createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Setup } from './catalogue/fault.ts'
import { check, type Violation } from './checker.ts'
import type { Cluster } from './cluster.ts'
import { type FinalState, readBounds, readLog, readTables } from './final-state.ts'
import { startLoad } from './generator.ts'
import { type HistoryLine, type HistoryWriter, openHistory } from './history.ts'
import type { Machine } from './machine.ts'
import { startObserver } from './observer.ts'
import { type Postgres, retry } from './postgres.ts'
import { createRandom } from './random.ts'
import { writeRawRecords } from './raw-records.ts'
import { type System, startSystem } from './system.ts'

/** What one schedule is. */
export interface ScheduleOptions {
  readonly name: string
  readonly seed: string
  readonly faults: readonly Fault[]
  readonly events: number
  readonly eventsPerSecond: number
  readonly cluster: Cluster
  readonly postgres: Postgres
  readonly machine: Machine
  /** Kept when a promise was broken, or with `keep`. */
  readonly folder: string
  readonly isFull?: boolean
  readonly isNaive?: boolean
  readonly useIdempotencyKeys?: boolean
  readonly keep?: boolean
  /** How long nothing may move after the faults while something is left to do; 60 s. */
  readonly drainTimeoutMs?: number
}

/** What came of it. */
export interface ScheduleResult {
  readonly name: string
  readonly seed: string
  readonly faults: readonly string[]
  readonly acked: number
  readonly refused: number
  readonly unknown: number
  /** Why events were refused, or their fate is unknown. */
  readonly reasons: Readonly<Record<string, number>>
  readonly effects: number
  readonly deadLetters: number
  readonly violations: readonly Violation[]
  /** Faults that could not be made: without them the schedule proves nothing. */
  readonly notInjected: readonly string[]
  readonly notes: readonly string[]
  /** From the end of the faults until everything was settled; null when it never was. */
  readonly drainSeconds: number | null
  /** The longest time for which a partition had work and did not move. */
  readonly stallSeconds: number
  readonly seconds: number
}

const DRAIN_TIMEOUT_MS = 60_000
const MOST_DRAINS = 4
const DRAIN_POLL_MS = 200
/** Lag must be gone so often in a row. */
const DRAIN_STABLE = 3
const GATEWAYS = 2
const MEMORY_LIMIT_MB = 700
/** Of one process: a runner has two for reads, twice four for transactions, and two for redrives. */
const CONNECTION_LIMIT = 12

/** Runs one schedule: load, faults, healing, drain, verdicts. */
export async function runSchedule(options: ScheduleOptions): Promise<ScheduleResult> {
  const { name, seed, faults, events, eventsPerSecond, cluster, postgres, folder, isNaive = false } = options
  const startedMs = Date.now()
  const random = createRandom(seed)
  const setups = faults.map(fault => fault.setup?.(random.fork(`setup-${fault.name}`)) ?? {})
  mkdirSync(folder, { recursive: true })
  const history = openHistory(join(folder, 'history.jsonl'))
  const system = await startSystem({
    cluster,
    postgres,
    machine: options.machine,
    name,
    folder,
    gateways: GATEWAYS,
    runners: setups.find(({ runners }) => runners)?.runners ?? random.integer(2, 3),
    isFull: options.isFull ?? false,
    isNaive,
    firstStart: toFirstStart(setups)
  })
  const recreated = new Map<string, { untilMs: number }>()
  const notInjected: string[] = []
  let isClean = false

  try {
    const observer = isNaive ? null : startObserver(system, { database: system.database, cluster })
    if (setups.some(({ rewinds }) => rewinds)) observer?.forgive()
    const ending = new AbortController()
    const load = startLoad({
      random,
      history,
      urls: system.gateways.map(({ url }) => url),
      events,
      eventsPerSecond,
      useIdempotencyKeys: options.useIdempotencyKeys ?? false,
      poisonShare: setups.find(({ poisonShare }) => poisonShare !== undefined)?.poisonShare
    })
    const writing = writeRawRecords(cluster, system.topicPrefix, {
      random: random.fork('raw'),
      history,
      signal: ending.signal
    })
    const lastingMs = (events / eventsPerSecond) * 1000
    const injecting = faults.map(async fault => {
      const own = random.fork(fault.name)
      await sleep(lastingMs * (0.05 + 0.5 * own.next()))
      system.note(`begins ${fault.name}`)
      const onRecreated = (topic: string) => void recreated.set(topic, { untilMs: Date.now() })
      await fault
        .inject({
          system,
          random: own,
          history,
          signal: ending.signal,
          loadDone: load.done,
          isOnly: faults.length === 1,
          onRecreated
        })
        .catch(error => {
          system.note(`${fault.name} failed: ${(error as Error).message}`)
          notInjected.push(`${fault.name}: ${(error as Error).message}`)
        })
      system.note(`ends ${fault.name}`)
    })
    await Promise.all([load.done, writing, ...injecting])
    await system.heal()

    const healedMs = Date.now()
    const isDrained = isNaive
      ? await drainNaive(system)
      : await drain(system, options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS)
    const drainSeconds = isDrained ? (Date.now() - healedMs) / 1000 : null
    system.note(isDrained ? 'drained' : 'not drained')
    if (!isNaive) await inspect(system)
    await observer?.stop()
    for (const late of await system.stop()) system.blame('I7', `${late} did not stop in time after SIGTERM`)

    const bounds = await retry(() => readBounds(cluster, system.topicPrefix))
    const log = await retry(() => readLog(cluster, system.topicPrefix, bounds))
    const state: FinalState = { log, bounds, ...(await readTables(system.database.sql)) }
    const mayDie = setups.some(setup => setup.mayDie)
    const movesKeys = setups.some(setup => setup.movesKeys)
    const violations = isNaive
      ? await checkNaive(system, history.lines)
      : [...check(history.lines, state, { recreated, mayDie, movesKeys }), ...toViolations(system)]
    const result = summarize({
      ...options,
      history,
      state,
      violations,
      notInjected,
      system,
      drainSeconds,
      stallSeconds: observer?.stallSeconds() ?? 0,
      startedMs
    })
    await keepEvidence(options, { result, state, history })
    isClean = violations.length === 0 && !options.keep
    return result
  } finally {
    await history.close()
    await system.kill()
    if (isClean) rmSync(folder, { recursive: true, force: true })
    await postgres.heal().catch(() => undefined)
    await cluster.access.restore().catch(() => undefined)
  }
}

function toFirstStart(setups: readonly Setup[]) {
  const join = (environments: readonly (NodeJS.ProcessEnv | undefined)[]): NodeJS.ProcessEnv => {
    // Two faults may have a failpoint each.
    const failpoints = environments.flatMap(environment => environment?.SMG_FAILPOINTS ?? []).join(',')
    return Object.assign({}, ...environments, failpoints && { SMG_FAILPOINTS: failpoints })
  }
  return { runner: join(setups.map(({ runner }) => runner)), gateway: join(setups.map(({ gateway }) => gateway)) }
}

/** Waits until every position is at the end of its log, and nothing waits in the outbox or for its redrive. */
async function drain(system: System, timeoutMs: number): Promise<boolean> {
  const { cluster, topicPrefix, database } = system
  let stable = 0
  let last = ''
  let slowest = ''
  let settled = ''
  let progressMs = Date.now()
  // A slow machine has its time, as long as something moves.
  const endMs = progressMs + MOST_DRAINS * timeoutMs
  for (; Date.now() < Math.min(endMs, progressMs + timeoutMs); await sleep(DRAIN_POLL_MS)) {
    try {
      const bounds = await readBounds(cluster, topicPrefix)
      const rows =
        await database.sql`SELECT topic, partition, next_offset::text AS next FROM topic_status ORDER BY topic, partition`
      const [waiting] = await database.sql`
        SELECT (SELECT count(*) FROM outbox)::int + (SELECT count(*) FROM dead_letters WHERE state = 'redriving')::int AS count`
      const positions = new Map(rows.map(({ topic, partition, next }) => [`${topic}/${partition}`, BigInt(next)]))
      const behind = bounds.filter(
        ({ topic, partition, low, high }) => (positions.get(`${topic}/${partition}`) ?? low) !== high
      )
      const now = bounds.map(({ high }) => high).join()
      const reached = [...positions.values()].join()
      if (reached !== settled) progressMs = Date.now()
      settled = reached
      stable = behind.length === 0 && waiting?.count === 0 && now === last ? stable + 1 : 0
      last = now
      if (behind.length > 0) slowest = behind.map(({ topic, partition }) => `${topic}/${partition}`).join(', ')
      if (stable === DRAIN_STABLE) {
        system.note(`the last to be behind: ${slowest || 'none'}`)
        return true
      }
    } catch {
      stable = 0
    }
  }
  return false
}

/** The naive consumer has no positions of its own: it is done when nothing new comes. */
async function drainNaive({ database }: System): Promise<boolean> {
  let last = -1
  let stable = 0
  for (const deadlineMs = Date.now() + DRAIN_TIMEOUT_MS; Date.now() < deadlineMs; await sleep(500)) {
    const [row] = await database.sql`SELECT count(*)::int AS count FROM naive_effects`
    stable = row?.count === last ? stable + 1 : 0
    last = row?.count ?? -1
    if (stable === 24) return true
  }
  return false
}

/** Asks everyone how they are, now that all is well. */
async function inspect(system: System): Promise<void> {
  for (const { name, process } of [...system.gateways, ...system.runners]) {
    const megabytes = residentMegabytes(process.pid())
    if (megabytes > MEMORY_LIMIT_MB) system.blame('I8', `${name} needs ${megabytes} MB`)
  }
  const [row] = await system.database.sql`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = ${system.database.name} AND application_name LIKE 'smg-%'`
  const members = system.gateways.length + system.runners.length
  if ((row?.count ?? 0) > members * CONNECTION_LIMIT)
    system.blame('I8', `${row?.count} connections to PostgreSQL are open`)

  for (const { name, url } of system.gateways) {
    const health = (await ask(`${url}/health`)) as { status?: string; checks?: object } | null
    if (health?.status !== 'ok') system.blame('I9', `${name} says ${JSON.stringify(health)} when all is well`)
    const topics = (await ask(`${url}/api/topics`)) as { items?: { topic: string; lag: number }[] } | null
    for (const { topic, lag } of topics?.items ?? []) {
      if (Number(lag) !== 0) system.blame('I9', `${name} says that ${topic} has a lag of ${lag}, and it has none`)
    }
  }
  for (const { name, url } of system.runners) {
    const health = (await ask(`${url}/health`)) as { status?: string } | null
    if (health?.status !== 'ok') system.blame('I9', `${name} says ${JSON.stringify(health)} when all is well`)
  }
}

function residentMegabytes(pid: number | null): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Math.round(Number(kilobytes ?? 0) / 1024)
  } catch {
    return 0
  }
}

/** Asks again for some seconds: what is well may need a moment to be seen. */
async function ask(url: string): Promise<unknown> {
  let body: unknown = null
  for (let left = 30; left > 0; left -= 1) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) }).catch(() => null)
    body = (await answer?.json().catch(() => null)) ?? null
    if (isWell(body)) return body
    await sleep(500)
  }
  return body
}

function isWell(body: unknown): boolean {
  const { status, items } = (body ?? {}) as { status?: string; items?: readonly { lag?: number }[] }
  return status === 'ok' || (items?.every(({ lag }) => Number(lag) === 0) ?? false)
}

const ANOMALIES: Partial<Record<Violation['invariant'], Violation['anomaly']>> = {
  I1: 'lost-write',
  I4: 'phantom',
  I5: 'lost-answer',
  I6: 'ahead',
  I8: 'leak',
  I9: 'untruth'
}

function toViolations({ blames }: System): Violation[] {
  return blames.map(({ invariant, text }) => ({
    invariant,
    anomaly: ANOMALIES[invariant] ?? 'unseen',
    text,
    lines: []
  }))
}

/** Judges a naive consumer by the same history: what is lost, what is there twice. */
async function checkNaive({ database }: System, lines: readonly HistoryLine[]): Promise<Violation[]> {
  const rows = await database.sql`SELECT topic, ref, count(*)::int AS count FROM naive_effects GROUP BY topic, ref`
  const counts = new Map(rows.map(({ topic, ref, count }) => [`${topic}/${ref}`, count as number]))
  const violations: Violation[] = []
  for (const line of lines) {
    if (line.from !== 'http') continue
    const name = `${line.topic}/${line.ref}`
    const count = counts.get(name) ?? 0
    if (line.outcome.kind === 'acked' && count === 0)
      violations.push({ invariant: 'I1', anomaly: 'lost-write', text: `${name} has no effect`, lines: [line] })
    if (count > 1)
      violations.push({ invariant: 'I2', anomaly: 'duplicate', text: `${name} has ${count} effects`, lines: [line] })
  }
  return violations
}

interface Summary extends ScheduleOptions {
  readonly history: HistoryWriter
  readonly state: FinalState
  readonly violations: readonly Violation[]
  readonly notInjected: readonly string[]
  readonly system: System
  readonly drainSeconds: number | null
  readonly stallSeconds: number
  readonly startedMs: number
}

function summarize({
  name,
  seed,
  faults,
  history,
  state,
  violations,
  notInjected,
  system,
  drainSeconds,
  stallSeconds,
  startedMs
}: Summary) {
  const count = (kind: string) => history.lines.filter(({ outcome }) => outcome.kind === kind).length
  return {
    name,
    seed,
    faults: faults.map(fault => fault.name),
    acked: count('acked'),
    refused: count('refused'),
    unknown: count('unknown'),
    reasons: countReasons(history.lines),
    effects: state.effects.length,
    deadLetters: state.deadLetters.length,
    violations,
    notInjected,
    notes: system.notes,
    drainSeconds,
    stallSeconds,
    seconds: (Date.now() - startedMs) / 1000
  } satisfies ScheduleResult
}

function countReasons(lines: readonly HistoryLine[]): Record<string, number> {
  const reasons: Record<string, number> = {}
  for (const { outcome } of lines) {
    if (outcome.kind === 'acked') continue
    const reason = `${outcome.kind}: ${outcome.reason.replace(/ 127\.0\.0\.1:\d+/, '')}`
    reasons[reason] = (reasons[reason] ?? 0) + 1
  }
  return reasons
}

async function keepEvidence(
  { folder, keep }: ScheduleOptions,
  { result, state, history }: { result: ScheduleResult; state: FinalState; history: HistoryWriter }
): Promise<void> {
  await history.close()
  if (result.violations.length === 0 && !keep) return
  const toText = (value: unknown) =>
    JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part), 1)
  writeFileSync(join(folder, 'result.json'), toText(result))
  for (const [table, rows] of Object.entries(state)) {
    const stream = createWriteStream(join(folder, `${table}.jsonl`))
    for (const row of Array.isArray(rows) ? rows : [rows]) stream.write(`${toText(row).replaceAll('\n', '')}\n`)
    await new Promise(resolve => stream.end(resolve))
  }
}
