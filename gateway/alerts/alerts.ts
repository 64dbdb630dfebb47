import type { FastifyBaseLogger } from 'fastify'
import type { AlertState, AlertTurns, Delivery, Notice } from '../../db/queries/alert-turns.ts'
import { gatewayErrors } from '../errors.ts'
import { within } from '../within.ts'
import type { Deliveries } from './deliveries.ts'
import { evaluate } from './evaluate.ts'
import { type LocalInputs, READING_TIMEOUT_MS } from './read-inputs.ts'
import type { RecentCounts } from './recent-counts.ts'
import type { AlertRule } from './types.ts'

/** What the rules say, and who says it. */
export interface AlertReading {
  readonly states: readonly AlertState[]
  /** Null before the first evaluation. */
  readonly evaluatedAtMs: number | null
  /** `memory` while PostgreSQL is away: then each gateway speaks for itself. */
  readonly source: 'database' | 'memory'
}

interface AlertDependencies {
  readonly rules: readonly AlertRule[]
  readonly readInputs: () => Promise<LocalInputs>
  readonly turns: AlertTurns
  /** Reads what the gateway that leads wrote last. */
  readonly readStored: () => Promise<Omit<AlertReading, 'source'>>
  readonly deliveries: Deliveries
  /** Writes down at once what was delivered: a gateway that is killed then is followed by one that knows it. */
  readonly settle: (deliveries: readonly Delivery[]) => Promise<void>
  readonly sinks: readonly string[]
  readonly counts: Pick<RecentCounts, 'read'>
  readonly log: FastifyBaseLogger
  /** Epoch in milliseconds; the clock of the database counts once it is known. */
  readonly now: () => number
  /** In milliseconds, of a clock that nobody sets. */
  readonly steadyMs: () => number
  readonly intervalMs: number
  /** Of this process: a UUID. */
  readonly instance: string
}

const TURN_TIMEOUT_MS = 3_000
/** A little more than a transaction may wait for its turn: one that comes later is not begun. */
const LEAVE_TIMEOUT_MS = 2_000
/** Notices that were made without PostgreSQL, at most; the oldest are dropped. */
const MAX_ALONE = 1_000

/**
 * Builds the evaluation of the rules. Of all gateways one evaluates, tells and delivers, as long as it renews its lease in
 * PostgreSQL; the others know what it wrote. While PostgreSQL is away each goes on from there by itself, and what it made
 * of it is written afterwards: notices of the same fault have the same id.
 */
export function createAlerts(dependencies: AlertDependencies) {
  const { rules, readInputs, turns, readStored, deliveries, settle, sinks, counts, log, now, steadyMs } = dependencies
  const { intervalMs, instance } = dependencies
  let states: readonly AlertState[] = []
  let source: AlertReading['source'] = 'database'
  let evaluatedAtMs: number | null = null
  /** Made in memory, and not in the table yet. */
  let alone: readonly Notice[] = []
  let clockOffsetMs: number | null = null
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  /** PostgreSQL may have a report of this gateway, and the lease in it: also of a turn that had no answer. */
  let hasReported = false

  deliveries.onResult(() => void settleAtOnce())
  return { turn, start, stop, read, states: () => states }

  /** Takes one turn. Rejects never. */
  async function turn(): Promise<void> {
    const inputs = await readInputs()
    if (isStopped) return
    try {
      await takeTurn(inputs)
      if (source === 'memory') log.info('alerts are evaluated with PostgreSQL again')
      source = 'database'
    } catch (err) {
      if (isStopped) return
      if (source === 'database') log.warn({ err }, 'alerts are evaluated from memory')
      source = 'memory'
      evaluateAlone(inputs)
    }
  }

  async function takeTurn(inputs: LocalInputs): Promise<void> {
    const handed = alone
    const results = deliveries.results()
    const report = {
      instance,
      leaseMs: toLeaseMs(intervalMs),
      seesKafka: inputs.seesKafka,
      counts: counts.read(),
      alone: { notices: handed, states: source === 'memory' ? states : [] },
      deliveries: results,
      sinks
    }
    const late = () => new gatewayErrors.SMG_GATEWAY_DATABASE_AWAY()
    hasReported = true
    const taken = await within(
      turns.take(report, stored => evaluate(rules, { ...inputs, counts: stored.counts }, stored)),
      TURN_TIMEOUT_MS,
      late
    )
    clockOffsetMs = taken.nowMs - steadyMs()
    states = taken.states
    alone = []
    deliveries.forget(results)
    // Whoever leads has all that is pending, also what was made here.
    if (!taken.leads || handed.length > 0) deliveries.release()
    if (taken.leads) {
      evaluatedAtMs = taken.nowMs
      deliveries.add(taken.pending)
    }
  }

  async function settleAtOnce(): Promise<void> {
    // What the table does not know yet is handed over with its notice.
    if (alone.length > 0 || source === 'memory') return
    const results = deliveries.results()
    await settle(results).then(
      () => deliveries.forget(results),
      err => log.debug({ err }, 'what became of notices is written with the next turn')
    )
  }

  function evaluateAlone(inputs: LocalInputs): void {
    const nowMs = Math.round(clockOffsetMs === null ? now() : clockOffsetMs + steadyMs())
    const evaluated = evaluate(rules, { ...inputs, counts: counts.read() }, { states, nowMs })
    states = evaluated.states
    evaluatedAtMs = nowMs
    alone = [...alone, ...evaluated.notices].slice(-MAX_ALONE)
    deliveries.add(evaluated.notices.flatMap(notice => sinks.map(sink => ({ notice, sink, attempts: 0 }))))
  }

  /** Gives what is stored, and what this gateway knows where that cannot be read. Rejects never. */
  async function read(): Promise<AlertReading> {
    const stored = source === 'database' ? await readStored().catch(() => null) : null
    return stored ? { ...stored, source: 'database' } : { states, evaluatedAtMs, source: 'memory' }
  }

  /** Takes a turn at once and then again and again, with the interval between the end of one and the next. */
  function start(): void {
    void turn().then(() => {
      if (isStopped) return
      timer = setTimeout(start, intervalMs)
      timer.unref()
    })
  }

  /** Takes no more turns, and lets another gateway lead at once. Resolves after 2 seconds at the latest; rejects never. */
  async function stop(): Promise<void> {
    isStopped = true
    if (timer) clearTimeout(timer)
    deliveries.close()
    // Behind a turn that is under way: turns go over one connection, in their order.
    if (!hasReported) return
    const late = () => new gatewayErrors.SMG_GATEWAY_DATABASE_AWAY()
    await within(turns.leave(instance), LEAVE_TIMEOUT_MS, late).catch(err =>
      log.debug({ err }, 'the lease of the alerts ends by itself')
    )
  }
}

/**
 * How long a gateway leads without a turn: a slow turn does not end it, nor, unless the interval is short, one that was
 * missed.
 */
function toLeaseMs(intervalMs: number): number {
  return Math.max(3 * intervalMs, intervalMs + READING_TIMEOUT_MS + TURN_TIMEOUT_MS)
}

export type Alerts = ReturnType<typeof createAlerts>
