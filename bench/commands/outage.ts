import { setTimeout as sleep } from 'node:timers/promises'
import { type Sent, sendAndFollow } from '../chain/follow.ts'
import { findCaughtUp, findRecovery, type SecondOfLoad, toSeconds } from '../chain/recovery.ts'
import { countRows, findFault } from '../chain/rows.ts'
import type { Chain } from '../chain/start-chain.ts'
import { watchPositions } from '../chain/watch-positions.ts'
import { withChain } from '../chain/with-chain.ts'
import { readStarved, startCpuMeter } from '../cpu.ts'
import { machineMs } from '../machine-clock.ts'
import { toNumber } from '../options.ts'
import { toQuantiles } from '../quantiles.ts'
import { alignColumns } from '../report.ts'
import type { Bench, Report, Values } from '../types.ts'

/** PostgreSQL crashes under load and comes back: how long until events are as fast as before. */
export const outageBench: Bench = {
  options: {
    rate: { type: 'string', default: '2000' },
    before: { type: 'string', default: '10' },
    away: { type: 'string', default: '60' },
    after: { type: 'string', default: '70' },
    // Milliseconds: recovered is what stays below.
    limit: { type: 'string', default: '100' }
  },

  run: (servers, values) => withChain(servers, { events: countEvents(values) }, chain => measureOutage(chain, values))
}

const WANTED_SECONDS = 60
const WARM_SECONDS = 5
/** What was due in a second waits for nothing that was due before it. */
const CAUGHT_UP_MS = 1_000
/** What is not caught up by then is missing. */
const DRAIN_MS = 120_000

const NOTE = `Seconds are those in which events were due; times run from when PostgreSQL took connections again. Recovery is the
first second from which on the p99 stays below the limit, caught up the first with one below ${CAUGHT_UP_MS} ms.`

interface Away {
  readonly fromMs: number
  /** When it took connections again. */
  readonly toMs: number
  /** Stops the clocks: gives cores that were busy from `toMs` to `untilMs`, by whom, and those that the runner lacked. */
  readonly readCores: (untilMs: number) => Readonly<Record<string, number>>
}

function countEvents(values: Values): number {
  const seconds = ['before', 'away', 'after'].reduce((sum, name) => sum + toNumber(values, name), WARM_SECONDS)
  return seconds * toNumber(values, 'rate')
}

async function measureOutage(chain: Chain, values: Values): Promise<Report> {
  const [before = 0, away = 0, after = 0] = ['before', 'away', 'after'].map(name => toNumber(values, name))
  const load = { eventsPerSecond: toNumber(values, 'rate'), seconds: before + away + after, batch: 1 }
  const rows = await countRows(chain)
  const watch = await watchPositions(chain)
  const warm = await sendAndFollow(chain, { ...load, seconds: Math.min(WARM_SECONDS, before) }, { watch })

  let outage: Promise<Away> | undefined
  const { result, events } = await sendAndFollow(chain, load, {
    watch,
    drainMs: DRAIN_MS,
    onBegin: () => {
      outage = endPostgresFor(chain, { before, away })
      // Awaited below, when the load is over: it may have failed minutes before.
      outage.catch(() => undefined)
    }
  })
  const { fromMs, toMs, readCores } = (await outage) as Away
  await watch.stop()

  const seconds = toSeconds(events, result.startMs)
  const toMachineMs = (second: number) => result.startMs + second * 1000
  const sinceReturn = (second: number | null) => second && Math.max(0, (toMachineMs(second) - toMs) / 1000)
  const recovered = findRecovery(seconds, toNumber(values, 'limit'))
  const caughtUp = findCaughtUp(seconds, Math.floor((toMs - result.startMs) / 1000), CAUGHT_UP_MS)
  const caughtUpMs = caughtUp === null ? toMachineMs(load.seconds) : toMachineMs(caughtUp)
  const figures = {
    'p99 ms before': toQuantiles(toTimes(events.filter(({ dueMs }) => dueMs < fromMs - CAUGHT_UP_MS))).p99,
    'away s': (toMs - fromMs) / 1000,
    'events waiting at its return': events.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs).length,
    's to the first event': (findFirstVisible(events, toMs) - toMs) / 1000,
    's until it has caught up': sinceReturn(caughtUp),
    'events/s till then': toRate(events, toMs, caughtUpMs),
    ...readCores(caughtUpMs),
    's to recovery': sinceReturn(recovered)
  }
  const fault =
    warm.result.firstFailure ??
    result.firstFailure ??
    (await findFault(chain, warm.events.length + events.length, rows))
  const took = figures['s to recovery']
  const isMissed = took === null || took > WANTED_SECONDS
  return {
    text: toText({ figures, seconds, fault, isMissed }),
    data: { figures, seconds, fault },
    isVoid: fault !== null,
    isMissed
  }
}

async function endPostgresFor(chain: Chain, { before, away }: { before: number; away: number }): Promise<Away> {
  await sleep(before * 1000)
  const fromMs = machineMs()
  const startPostgres = await chain.servers.crashPostgres()
  await sleep(Math.max(0, fromMs + away * 1000 - machineMs()))
  await startPostgres()
  return { fromMs, toMs: machineMs(), readCores: startClocks(chain) }
}

/** Looks every second who was busy since the beginning. */
function startClocks({ gateway, runner, servers }: Chain): Away['readCores'] {
  const startMs = machineMs()
  const readCpu = startCpuMeter({ gateway: gateway.pid, runner: runner.pid, ...servers.pids })
  const starved = readStarved(runner.pid)
  const look = () => ({ atMs: machineMs(), use: readCpu(), starved: readStarved(runner.pid) - starved })
  const looks: ReturnType<typeof look>[] = []
  const timer = setInterval(() => looks.push(look()), 1000)
  return untilMs => {
    clearInterval(timer)
    const { atMs, use, starved } = looks.find(look => look.atMs >= untilMs) ?? look()
    const toCores = (microseconds: number) => microseconds / 1000 / (atMs - startMs)
    const own = Object.entries(use.own).map(([name, used]) => [`cores ${name}`, toCores(used)] as const)
    const ours = own.reduce((sum, [, cores]) => sum + cores, 0)
    return {
      ...Object.fromEntries(own),
      'cores that the runner waited for': toCores(starved),
      'cores of others': toCores(use.machine) - ours
    }
  }
}

/** From due to visible; for ever when it was not seen. */
function toTimes(events: readonly Sent[]): number[] {
  return events.map(({ dueMs, visibleMs }) => (visibleMs ?? Number.POSITIVE_INFINITY) - dueMs)
}

function findFirstVisible(events: readonly Sent[], sinceMs: number): number {
  const late = events.flatMap(({ visibleMs }) => (visibleMs !== null && visibleMs >= sinceMs ? [visibleMs] : []))
  return late.reduce((first, visibleMs) => Math.min(first, visibleMs), Number.POSITIVE_INFINITY)
}

function toRate(events: readonly Sent[], fromMs: number, toMs: number): number {
  const seen = events.filter(({ visibleMs }) => visibleMs !== null && visibleMs >= fromMs && visibleMs < toMs)
  return (seen.length / (toMs - fromMs)) * 1000
}

interface Outcome {
  readonly figures: Readonly<Record<string, number | null>>
  readonly seconds: readonly SecondOfLoad[]
  readonly fault: string | null
  readonly isMissed: boolean
}

function toText({ figures, seconds, fault, isMissed }: Outcome): string {
  const lines = Object.entries(figures).map(([name, value]) => [name, value === null ? 'never' : value.toFixed(2)])
  const table = seconds.map(({ second, events, p50Ms, p99Ms }) =>
    [second, events, p50Ms.toFixed(1), p99Ms.toFixed(1)].map(String)
  )
  return [
    alignColumns([['second', 'events', 'visible p50 ms', 'visible p99 ms'], ...table]),
    alignColumns(lines),
    NOTE,
    `Wanted: ${WANTED_SECONDS} s. ${isMissed ? 'MISSED' : 'Kept'}.`,
    fault === null ? 'Each event is there once, and none is a dead letter.' : `VOID: ${fault}`
  ].join('\n')
}
