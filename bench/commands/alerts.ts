import { setTimeout as sleep } from 'node:timers/promises'
import { offerEvents } from '../chain/offer.ts'
import { findNoticeMs, readDatabaseMs, readFired, readFiring } from '../chain/read-alerts.ts'
import { countRows, countSettled, findFault } from '../chain/rows.ts'
import { type Chain, WITH_ALERTS } from '../chain/start-chain.ts'
import { withChain } from '../chain/with-chain.ts'
import { runLoad, writeRequests } from '../load/run-load.ts'
import { toChosen, toCount, toNumber } from '../options.ts'
import { alignColumns } from '../report.ts'
import type { Bench, Report, Values } from '../types.ts'
import { makeBatches, makeSingles } from '../workload.ts'

/** Alerts in real time, where a test would take too long: none in health, a database that went away, and a long lag. */
export const alertsBench: Bench = {
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '1000' },
    away: { type: 'string', default: '30' },
    lag: { type: 'string', default: '1000000' },
    only: { type: 'string', default: '' }
  },

  run(servers, values) {
    const events = toNumber(values, 'minutes') * 60 * toNumber(values, 'rate') + toCount(values, 'lag')
    return withChain(servers, { events, settings: WITH_ALERTS }, chain => measureAlerts(chain, values))
  }
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
/** How long each has to hold, and of the second how old the oldest record has to be. */
const LAG_ALERTS = { HighConsumerLag: 30, HighLagSeconds: 300 + 30 }
const POLL_MS = 2_000
/** What did not come until then does not come. */
const PATIENCE_S = 900
const BATCH = 1_000
const CONNECTIONS = 16
/** Events a second while the lag is made. */
const FILL_RATE = 10_000
/** Events that may wait when PostgreSQL comes back: so few that their lag is no alert, and so many that an error rate would be. */
const WAITING = 5_000
const CONNECTIONS_BESIDE = 64

async function measureAlerts(chain: Chain, values: Values): Promise<Report> {
  const results: Result[] = []
  for (const name of toChosen(values, 'only', Object.keys(PHASES))) {
    const found = (await PHASES[name]?.(chain, values)) ?? []
    for (const result of found) console.log(toLine(result).join('  '))
    results.push(...found)
  }
  return {
    text: alignColumns([['what', 'came', 'wanted', ''], ...results.map(toLine)]),
    data: { results },
    isVoid: false,
    isMissed: results.some(({ isGood }) => !isGood)
  }
}

/** In the order in which they run. */
const PHASES: Readonly<Record<string, (chain: Chain, values: Values) => Promise<Result[]>>> = {
  healthy: stayHealthy,
  database: loseDatabase,
  lag: catchUp
}

async function stayHealthy(chain: Chain, values: Values): Promise<Result[]> {
  const minutes = toNumber(values, 'minutes')
  const load = { eventsPerSecond: toNumber(values, 'rate'), batch: 1, seconds: minutes * 60 }
  const sinceMs = await readDatabaseMs(chain)
  const measurement = await offerEvents(chain, { name: 'healthy', round: 1, ...load })
  return [
    toNone(`alerts in ${minutes} minutes with ${load.eventsPerSecond} events/s`, await readFired(chain, sinceMs)),
    toYes('each event of them has its row', measurement.void)
  ]
}

async function loseDatabase(chain: Chain, values: Values): Promise<Result[]> {
  const name = 'DatabaseConnectionFailure'
  // A notice of what fires while PostgreSQL is away is written when it is back: it has to be away for long enough.
  const awayS = Math.max(toNumber(values, 'away'), 2 * TWO_LOOKS_S)
  const [rows, settled] = [await countRows(chain), await countSettled(chain)]
  const rate = Math.min(toNumber(values, 'rate'), WAITING / awayS)
  const load = await startLoad(chain, { rate, seconds: awayS + 2 * PATIENCE_S })

  const crashedMs = await readDatabaseMs(chain)
  const startPostgres = await chain.servers.crashPostgres()
  await sleep(awayS * 1000)
  // Once: each good answer makes an error rate smaller.
  const isSaid = (await readFiring(chain.gateway.url)).includes(name)
  await startPostgres()
  const backMs = await readDatabaseMs(chain)
  const firedMs = await waitFor(() => findNoticeMs(chain, { name, event: 'fired' }, crashedMs))
  const clearedMs = firedMs && (await waitFor(() => findNoticeMs(chain, { name, event: 'cleared' }, firedMs)))
  const others = (await readFired(chain, crashedMs)).filter(other => other !== name)

  const { requests, firstFailure } = await load.end()
  await waitFor(async () => ((await countSettled(chain)) >= settled + requests ? true : null))
  return [
    // The tenth failure comes when ten queries have failed: the gateway asks some every few seconds.
    toTime(`${name} fires after PostgreSQL went`, toSeconds(crashedMs, firedMs), TWO_LOOKS_S),
    toYes('the gateway says so while it is away', isSaid ? null : 'no'),
    toTime(`${name} clears after it is back`, toSeconds(backMs, clearedMs), WINDOW_S + TWO_LOOKS_S),
    toNone(`other alerts with ${rate.toFixed(0)} events/s meanwhile`, others),
    toYes(`each of ${requests} events has its row`, firstFailure ?? (await findFault(chain, requests, rows)))
  ]
}

async function catchUp(chain: Chain, values: Values): Promise<Result[]> {
  const url = chain.gateway.url
  const [rows, settled] = [await countRows(chain), await countSettled(chain)]
  await turn(url, 'pause')
  const filledMs = await readDatabaseMs(chain)
  const sent = await fill(chain, toCount(values, 'lag'))
  const fires: Result[] = []
  for (const [name, seconds] of Object.entries(LAG_ALERTS)) {
    const firedMs = await waitFor(() => findNoticeMs(chain, { name, event: 'fired' }, filledMs))
    fires.push(toTime(`${name} fires after the lag began`, toSeconds(filledMs, firedMs), seconds + TWO_LOOKS_S))
  }
  await turn(url, 'resume')
  const resumedMs = await readDatabaseMs(chain)
  const drainedMs = await waitFor(async () => {
    return (await countSettled(chain)) >= settled + sent ? readDatabaseMs(chain) : null
  })
  const clears: Result[] = []
  for (const name of Object.keys(LAG_ALERTS)) {
    const clearedMs = await waitFor(() => findNoticeMs(chain, { name, event: 'cleared' }, resumedMs))
    const seconds = drainedMs && toSeconds(drainedMs, clearedMs)
    clears.push(toTime(`${name} clears after all is settled`, seconds, TWO_LOOKS_S))
  }
  const others = (await readFired(chain, filledMs)).filter(name => !(name in LAG_ALERTS))
  return [
    ...fires,
    toTime(`${sent} records of lag are settled`, toSeconds(resumedMs, drainedMs), PATIENCE_S),
    toYes('each of them once', await findFault(chain, sent, rows)),
    ...clears,
    toNone('other alerts', others)
  ]
}

async function turn(url: string, verb: 'pause' | 'resume'): Promise<void> {
  const response = await fetch(`${url}/api/functions/user-activities/${verb}`, { method: 'POST' })
  if (!response.ok) throw new Error(`${verb} was answered with ${response.status}`)
}

/** Posts single events until it is ended, and gives how to, when the first is on its way. */
async function startLoad(
  { servers: { site }, gateway }: Chain,
  { rate, seconds }: { readonly rate: number; readonly seconds: number }
) {
  const until = new AbortController()
  const requestsFile = writeRequests(site, 'beside-alerts', makeSingles())
  const plan = { ...{ url: gateway.url, connections: CONNECTIONS_BESIDE, seconds, requestsFile }, answersFile: null }
  let begin: () => void = () => undefined
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })
  const load = runLoad(
    site,
    { ...plan, requestsPerSecond: rate, expectedStatus: 202 },
    { onBegin: () => begin(), until: until.signal }
  )
  // One that fails later is seen by whoever ends it.
  load.catch(() => undefined)
  await Promise.race([begun, load])
  return {
    end() {
      until.abort()
      return load
    }
  }
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

/** Asks again and again until there is something; null when there is nothing after a quarter of an hour. */
async function waitFor<T>(find: () => Promise<T | null>): Promise<T | null> {
  for (const untilMs = performance.now() + PATIENCE_S * 1000; performance.now() < untilMs; await sleep(POLL_MS)) {
    const found = await find()
    if (found !== null) return found
  }
  return null
}

/** From one moment to another, 0 when that came before; null when it did not come. */
function toSeconds(fromMs: number, toMs: number | null): number | null {
  return toMs === null ? null : Math.max(0, toMs - fromMs) / 1000
}

function toTime(what: string, seconds: number | null, limit: number): Result {
  const came = seconds === null ? 'never' : `${seconds.toFixed(1)} s`
  return { what, came, wanted: `${limit} s at most`, isGood: seconds !== null && seconds <= limit }
}

function toNone(what: string, names: readonly string[]): Result {
  return { what, came: names.join(', ') || 'none', wanted: 'none', isGood: names.length === 0 }
}

function toYes(what: string, fault: string | null): Result {
  return { what, came: fault ?? 'yes', wanted: 'yes', isGood: fault === null }
}

function toLine({ what, came, wanted, isGood }: Result): string[] {
  return [what, came, wanted, isGood ? '' : 'MISSED']
}
