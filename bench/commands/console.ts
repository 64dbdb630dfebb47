import { setTimeout as sleep } from 'node:timers/promises'
import { readDatabaseMs, readFired } from '../chain/read-alerts.ts'
import { countSettled } from '../chain/rows.ts'
import { type Chain, WITH_ALERTS } from '../chain/start-chain.ts'
import { withChain } from '../chain/with-chain.ts'
import { openSql } from '../databases.ts'
import { fillTables } from '../fill-tables.ts'
import type { LoadResult, Plan } from '../load/plan.ts'
import { runLoad, writeRequests } from '../load/run-load.ts'
import { toCount, toNumber } from '../options.ts'
import { type OpenPage, openOverview } from '../page/open-page.ts'
import { type Measurement, summarise, toLine, toTable } from '../report.ts'
import type { Bench, Report, Values } from '../types.ts'
import { makeBatches, makeSingles } from '../workload.ts'

/** The console's overview while events arrive: how soon it is usable, what it costs, and which alerts fire meanwhile. */
export const consoleBench: Bench = {
  options: {
    rows: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '5000' },
    batch: { type: 'string', default: '100' },
    minutes: { type: 'string', default: '10' }
  },

  run(servers, values) {
    const events = toCount(values, 'rows') + planSeconds(values) * toNumber(values, 'rate')
    return withChain(servers, { events, settings: WITH_ALERTS }, chain => measureConsole(chain, values))
  }
}

const CONNECTIONS = 16
const WARM_MS = 15_000
const BETWEEN_MS = 5_000
const MINUTE_MS = 60_000
/** A browser takes no longer to be there, and no longer again to have drawn the page. */
const OPEN_SECONDS = 60
/** What was accepted is settled soon after the last answer. */
const SETTLE_MS = 60_000
const POLL_MS = 200

const OVER = 'the load was over before'

const NOTE = `Usable: heading, charts and numbers are drawn, and nothing is awaited; from the beginning of the navigation, in a new
browser. A page's CPU is that of all renderers, in parts of one core; its heap is what lives after a collection.`

async function measureConsole(chain: Chain, values: Values): Promise<Report> {
  const rows = toCount(values, 'rows')
  const minutes = toCount(values, 'minutes')
  const rounds = toCount(values, 'rounds')
  await fill(chain.databaseUrl, rows)

  const settled = await countSettled(chain)
  const sinceMs = await readDatabaseMs(chain)
  const { measured, result } = await besideLoad(chain, values, async isLoaded => [
    ...(await measureOpenings(chain.gateway.url, { rounds, isLoaded })),
    ...(await measureMinutes(chain.gateway.url, { minutes, isLoaded }))
  ])
  const { firstFailure, requests, latencyMs } = result
  const late = await findUnsettled(chain, settled + requests * toCount(values, 'batch'))
  const fired = await readFired(chain, sinceMs)
  const fault = firstFailure ?? late

  const summaries = summarise(measured)
  return {
    text: [
      toTable(summaries),
      `Answered: ${requests} requests, p99 ${latencyMs.p99.toFixed(0)} ms. ${fault === null ? 'None failed, and each event is settled.' : `VOID: ${fault}`}`,
      fired.length === 0 ? 'No alert fired.' : `Alerts that fired: ${fired.join(', ')}`,
      NOTE
    ].join('\n'),
    data: { summaries, measurements: measured, fired, requests, latencyMs, fault },
    isVoid: fault !== null || measured.some(measurement => measurement.void !== null)
  }
}

/** So long that the load does not end before the page is measured; it is ended then. */
function planSeconds(values: Values): number {
  const openings = (toCount(values, 'rounds') + 2) * (2 * OPEN_SECONDS + BETWEEN_MS / 1000)
  return (WARM_MS + toCount(values, 'minutes') * MINUTE_MS) / 1000 + openings
}

/** Measures while events arrive, and ends their load; what is measured without it is to be void. */
async function besideLoad(
  chain: Chain,
  values: Values,
  measure: (isLoaded: () => boolean) => Promise<Measurement[]>
): Promise<{ readonly measured: Measurement[]; readonly result: LoadResult }> {
  const until = new AbortController()
  let isLoaded = true
  const load = runLoad(chain.servers.site, toPlan(chain, values), { until: until.signal }).finally(() => {
    isLoaded = false
  })
  // Seen by whoever waits for it below; an earlier end of the measurement is the error then.
  load.catch(() => undefined)
  try {
    await sleep(WARM_MS)
    const measured = await measure(() => isLoaded)
    until.abort()
    return { measured, result: await load }
  } finally {
    until.abort()
  }
}

/** Gives why not all events are settled, after a minute; null when they are. */
async function findUnsettled(chain: Chain, events: number): Promise<string | null> {
  for (const untilMs = performance.now() + SETTLE_MS; performance.now() < untilMs; await sleep(POLL_MS))
    if ((await countSettled(chain)) >= events) return null
  return `${events} events to be settled, ${await countSettled(chain)} are`
}

async function fill(databaseUrl: string, rows: number): Promise<void> {
  const sql = openSql(databaseUrl)
  try {
    await fillTables(sql, { rows, topic: 'user-activities', onProgress: () => undefined })
    console.log(`filled both tables with ${rows} rows`)
  } finally {
    await sql.end()
  }
}

function toPlan({ servers, gateway }: Chain, values: Values): Plan {
  const seconds = planSeconds(values)
  const batch = toCount(values, 'batch')
  const requests = batch === 1 ? makeSingles() : makeBatches(batch)
  return {
    ...{ url: gateway.url, connections: CONNECTIONS, seconds, answersFile: null },
    requestsPerSecond: toNumber(values, 'rate') / batch,
    expectedStatus: 202,
    requestsFile: writeRequests(servers.site, 'beside-console', requests)
  }
}

async function measureOpenings(
  url: string,
  { rounds, isLoaded }: { readonly rounds: number; readonly isLoaded: () => boolean }
): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  // The first browser of a machine reads its files from the disk, and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    const page = await openOverview(url)
    const figures = { 'usable ms': page.usableMs }
    await page.close()
    const measurement = { name: 'opened', round, figures, void: isLoaded() ? null : OVER }
    console.log(toLine(measurement))
    if (round > 0) measurements.push(measurement)
    await sleep(BETWEEN_MS)
  }
  return measurements
}

async function measureMinutes(
  url: string,
  { minutes, isLoaded }: { readonly minutes: number; readonly isLoaded: () => boolean }
): Promise<Measurement[]> {
  const page = await openOverview(url)
  try {
    const measurements: Measurement[] = []
    for (let minute = 1; minute <= minutes; minute += 1) {
      const figures = await measureMinute(page)
      const measurement = { name: 'open, a minute', round: minute, figures, void: isLoaded() ? null : OVER }
      measurements.push(measurement)
      console.log(toLine(measurement))
    }
    return measurements
  } finally {
    await page.close()
  }
}

async function measureMinute(page: OpenPage): Promise<Record<string, number>> {
  const before = await page.readCpuSeconds()
  const beganMs = performance.now()
  await sleep(MINUTE_MS)
  const after = await page.readCpuSeconds()
  const toPercent = (seconds: number) => (seconds / (performance.now() - beganMs)) * 1000 * 100
  return {
    'page % of a core': toPercent(after.page - before.page),
    'browser % of a core': toPercent(after.browser - before.browser),
    'heap MB': await page.readHeapMegabytes()
  }
}
