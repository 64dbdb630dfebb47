import { setTimeout as sleep } from 'node:timers/promises'
import { offerEvents } from '../chain/offer.ts'
import { readFired, readFiring } from '../chain/read-alerts.ts'
import { countRows, countSettled, findFault } from '../chain/rows.ts'
import { type Chain, WITH_ALERTS } from '../chain/start-chain.ts'
import { withChain } from '../chain/with-chain.ts'
import { runLoad, writeRequests } from '../load/run-load.ts'
import { toCount } from '../options.ts'
import { alignColumns } from '../report.ts'
import type { Bench, Report, Values } from '../types.ts'
import { makeBatches } from '../workload.ts'

/** Alerts in real time, where a test would take too long: none in health, a database that went away, and a long lag. */
export const alertsBench: Bench = {
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '1000' },
    away: { type: 'string', default: '30' },
    lag: { type: 'string', default: '1000000' }
  },

  run: (servers, values) =>
    withChain(servers, { events: Number.POSITIVE_INFINITY, settings: WITH_ALERTS }, chain =>
      measureAlerts(chain, values)
    )
}

interface Result {
  readonly what: string
  readonly came: string
  readonly wanted: string
  readonly isGood: boolean
}

// ALERT_INTERVAL_MS, twice, and what the rules look back on.
const TWO_LOOKS_S = 20
const WINDOW_S = 300
const LAG_ALERTS = ['HighConsumerLag', 'HighLagSeconds']
const POLL_MS = 250
const DEADLINE_MS = 900_000
const BATCH = 1_000
const CONNECTIONS = 4
/** Events a second while the lag is made. */
const FILL_RATE = 40_000

async function measureAlerts(chain: Chain, values: Values): Promise<Report> {
  const results: Result[] = []
  for (const measure of [stayHealthy, loseDatabase, catchUp]) {
    const found = await measure(chain, values)
    for (const result of found) console.log(toLine(result).join('  '))
    results.push(...found)
  }
  return {
    text: alignColumns([['what', 'came', 'wanted', ''], ...results.map(toLine)]),
    data: { results },
    isVoid: results.some(({ isGood }) => !isGood)
  }
}

async function stayHealthy(chain: Chain, values: Values): Promise<Result[]> {
  const minutes = toCount(values, 'minutes')
  const load = { eventsPerSecond: toCount(values, 'rate'), batch: 1, seconds: minutes * 60 }
  const measurement = await offerEvents(chain, { name: 'healthy', round: 1, ...load })
  const fired = await readFired(chain.gateway.url)
  return [
    {
      what: `alerts in ${minutes} minutes with ${load.eventsPerSecond} events/s`,
      came: toList(fired),
      wanted: 'none',
      isGood: fired.length === 0
    },
    {
      what: 'each event of them has its row',
      came: measurement.void ?? 'yes',
      wanted: 'yes',
      isGood: measurement.void === null
    }
  ]
}

async function loseDatabase(chain: Chain, values: Values): Promise<Result[]> {
  const name = 'DatabaseConnectionFailure'
  const url = chain.gateway.url
  const awayMs = toCount(values, 'away') * 1000
  const before = new Set(await readFired(url))
  const crashedMs = performance.now()
  const startPostgres = await chain.servers.crashPostgres()
  const firedS = await secondsUntil(async () => (await readFiring(url)).includes(name))
  await sleep(Math.max(0, crashedMs + awayMs - performance.now()))
  await startPostgres()
  const clearedS = await secondsUntil(async () => !(await readFiring(url)).includes(name))
  const others = (await readFired(url)).filter(other => other !== name && !before.has(other))
  return [
    // The tenth failure comes when ten queries have failed: the gateway asks some every few seconds.
    toTime(`${name} fires after PostgreSQL went`, firedS, TWO_LOOKS_S),
    toTime(`${name} clears after it is back`, clearedS, WINDOW_S + TWO_LOOKS_S),
    { what: 'other alerts meanwhile', came: toList(others), wanted: 'none', isGood: others.length === 0 }
  ]
}

async function catchUp(chain: Chain, values: Values): Promise<Result[]> {
  const url = chain.gateway.url
  const lag = toCount(values, 'lag')
  const before = new Set(await readFired(url))
  const [rows, settled] = [await countRows(chain), await countSettled(chain)]
  await turn(url, 'pause')
  const sent = await fill(chain, lag)
  await secondsUntil(async () => isSubset(LAG_ALERTS, await readFiring(url)))
  await turn(url, 'resume')
  const drainedS = await secondsUntil(async () => (await countSettled(chain)) >= settled + sent)
  const clearedS = await secondsUntil(async () => (await readFiring(url)).length === 0)
  const others = (await readFired(url)).filter(name => !LAG_ALERTS.includes(name) && !before.has(name))
  const fault = await findFault(chain, sent, rows)
  return [
    {
      what: `${sent} records of lag are settled, each once`,
      came: fault ?? `after ${drainedS.toFixed(0)} s`,
      wanted: 'yes',
      isGood: fault === null
    },
    toTime('its alerts clear after that', clearedS, TWO_LOOKS_S),
    {
      what: `alerts besides ${LAG_ALERTS.join(' and ')}`,
      came: toList(others),
      wanted: 'none',
      isGood: others.length === 0
    }
  ]
}

async function turn(url: string, verb: 'pause' | 'resume'): Promise<void> {
  const response = await fetch(`${url}/api/functions/user-activities/${verb}`, { method: 'POST' })
  if (!response.ok) throw new Error(`${verb} was answered with ${response.status}`)
}

/** Gives how many events were accepted. */
async function fill({ servers, gateway }: Chain, events: number): Promise<number> {
  const { requests, firstFailure } = await runLoad(servers.site, {
    ...{ url: gateway.url, connections: CONNECTIONS, answersFile: null, expectedStatus: 202 },
    seconds: events / FILL_RATE,
    requestsPerSecond: FILL_RATE / BATCH,
    requestsFile: writeRequests(servers.site, 'lag', makeBatches(BATCH))
  })
  if (firstFailure !== null) throw new Error(`the lag was not made: ${firstFailure}`)
  return requests * BATCH
}

/** @throws when it does not come within a quarter of an hour */
async function secondsUntil(isSo: () => Promise<boolean>): Promise<number> {
  const beganMs = performance.now()
  for (; !(await isSo()); await sleep(POLL_MS))
    if (performance.now() - beganMs > DEADLINE_MS) throw new Error('waited a quarter of an hour in vain')
  return (performance.now() - beganMs) / 1000
}

function isSubset(part: readonly string[], whole: readonly string[]): boolean {
  return part.every(one => whole.includes(one))
}

function toTime(what: string, seconds: number, limit: number): Result {
  return { what, came: `${seconds.toFixed(1)} s`, wanted: `${limit} s at most`, isGood: seconds <= limit }
}

function toList(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ')
}

function toLine({ what, came, wanted, isGood }: Result): string[] {
  return [what, came, wanted, isGood ? '' : 'MISSED']
}
