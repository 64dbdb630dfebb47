import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../../gateway/within.ts'
import type { Fault, Setup } from './catalogue/fault.ts'
import { checkNaive } from './check-naive.ts'
import { check, type Violation } from './checker.ts'
import type { Cluster } from './cluster.ts'
import { DRAIN_TIMEOUT_MS, drain, drainNaive, MOST_DRAINS } from './drain.ts'
import { type FinalState, readBounds, readLog, readTables } from './final-state.ts'
import { startLoad } from './generator.ts'
import { type HistoryLine, type HistoryWriter, openHistory } from './history.ts'
import { inspect } from './inspect.ts'
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

const GATEWAYS = 2
/** Beyond these a step hangs, in the harness or in what it waits for: the schedule has failed, and says where. */
const FAULTS_LIMIT_MS = 300_000
const FULL_FAULTS_LIMIT_MS = 1_800_000
const STEP_LIMIT_MS = 240_000

/** The processes of a schedule did not come up: nothing was sent, and no promise was looked at. */
export class NotBegunError extends Error {}

/** Runs one schedule: load, faults, healing, drain, verdicts. @throws NotBegunError; an error that names the step which hangs */
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
  }).catch(error => {
    throw new NotBegunError((error as Error).message, { cause: error })
  })
  const recreated = new Map<string, { untilMs: number }>()
  const notInjected: string[] = []
  let isClean = false
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

  try {
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
    const limitMs = lastingMs + (options.isFull ? FULL_FAULTS_LIMIT_MS : FAULTS_LIMIT_MS)
    await ended('the load and the faults', Promise.all([load.done, writing, ...injecting]), limitMs)
    await ended('the healing', system.heal())

    const healedMs = Date.now()
    const drainTimeoutMs = options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS
    const draining = isNaive ? drainNaive(system) : drain(system, drainTimeoutMs)
    const isDrained = await ended('the drain', draining, MOST_DRAINS * drainTimeoutMs + STEP_LIMIT_MS)
    const drainSeconds = isDrained ? (Date.now() - healedMs) / 1000 : null
    system.note(isDrained ? 'drained' : 'not drained')
    if (!isNaive) await ended('the inspection', inspect(system))
    await ended('the observer', observer?.stop())
    for (const late of await ended('the stop', system.stop()))
      system.blame('I7', `${late} did not stop in time after SIGTERM`)

    const state = await ended('the reading of what is left', readState(system))
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
    // Of a schedule that failed they would go on, and keep the process.
    ending.abort()
    load.stop()
    void observer?.stop()
    await history.close()
    await ended('the clearing up', system.kill())
    if (isClean) rmSync(folder, { recursive: true, force: true })
    await postgres.heal().catch(() => undefined)
    await cluster.access.restore().catch(() => undefined)
  }

  /** Waits for a step. @throws an error that names it, when it does not end */
  async function ended<T>(step: string, work: Promise<T> | undefined, limitMs = STEP_LIMIT_MS): Promise<T> {
    const toError = () =>
      new Error(`${name}: ${step} did not end within ${limitMs / 1000} s\n${system.notes.join('\n')}`)
    return within(Promise.resolve(work as Promise<T>), limitMs, toError)
  }
}

async function readState({ cluster, topicPrefix, database }: System): Promise<FinalState> {
  const bounds = await retry(() => readBounds(cluster, topicPrefix))
  const log = await retry(() => readLog(cluster, topicPrefix, bounds))
  return { log, bounds, ...(await readTables(database.sql)) }
}

function toFirstStart(setups: readonly Setup[]) {
  const join = (environments: readonly (NodeJS.ProcessEnv | undefined)[]): NodeJS.ProcessEnv => {
    // Two faults may have a failpoint each.
    const failpoints = environments.flatMap(environment => environment?.SMG_FAILPOINTS ?? []).join(',')
    return Object.assign({}, ...environments, failpoints && { SMG_FAILPOINTS: failpoints })
  }
  return { runner: join(setups.map(({ runner }) => runner)), gateway: join(setups.map(({ gateway }) => gateway)) }
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
