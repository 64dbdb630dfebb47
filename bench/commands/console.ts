import { setTimeout as sleep } from 'node:timers/promises'
import { readFired } from '../chain/read-alerts.ts'
import { type Chain, WITH_ALERTS } from '../chain/start-chain.ts'
import { withChain } from '../chain/with-chain.ts'
import { openSql } from '../databases.ts'
import { fillTables } from '../fill-tables.ts'
import { runLoad, writeRequests } from '../load/run-load.ts'
import { toCount } from '../options.ts'
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

  run: (servers, values) =>
    withChain(servers, { events: Number.POSITIVE_INFINITY, settings: WITH_ALERTS }, chain =>
      measureConsole(chain, values)
    )
}

const CONNECTIONS = 16
const WARM_MS = 15_000
const BETWEEN_MS = 5_000
const MINUTE_MS = 60_000
/** Whoever arrives after the last minute is measured no more. */
const SPARE_SECONDS = 30

const NOTE = `Usable: heading, charts and numbers are drawn, and nothing is awaited; from the beginning of the navigation, in a new
browser. A page's CPU is its renderer's, in parts of one core; its heap is what lives after a collection.`

async function measureConsole(chain: Chain, values: Values): Promise<Report> {
  const rows = toCount(values, 'rows')
  const minutes = toCount(values, 'minutes')
  const rounds = toCount(values, 'rounds')
  await fill(chain.databaseUrl, rows)

  const seconds = (WARM_MS + rounds * 2 * BETWEEN_MS + minutes * MINUTE_MS) / 1000 + SPARE_SECONDS
  const load = runLoad(chain.servers.site, toPlan(chain, values, seconds))
  // Seen by whoever waits for it below; an earlier end of the measurement is the error then.
  load.catch(() => undefined)
  await sleep(WARM_MS)
  const openings = await measureOpenings(chain.gateway.url, rounds)
  const measurements = [...openings, ...(await measureMinutes(chain.gateway.url, minutes))]
  const fired = await readFired(chain.gateway.url)
  const { firstFailure, requests, latencyMs } = await load

  const summaries = summarise(measurements)
  return {
    text: [
      toTable(summaries),
      `Answered: ${requests} requests, p99 ${latencyMs.p99.toFixed(0)} ms. ${firstFailure === null ? 'None failed.' : `VOID: ${firstFailure}`}`,
      fired.length === 0 ? 'No alert fired.' : `Alerts that fired: ${fired.join(', ')}`,
      NOTE
    ].join('\n'),
    data: { summaries, measurements, fired, requests, latencyMs },
    isVoid: firstFailure !== null
  }
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

function toPlan({ servers, gateway }: Chain, values: Values, seconds: number) {
  const batch = toCount(values, 'batch')
  const requests = batch === 1 ? makeSingles() : makeBatches(batch)
  return {
    ...{ url: gateway.url, connections: CONNECTIONS, seconds, answersFile: null },
    requestsPerSecond: toCount(values, 'rate') / batch,
    expectedStatus: 202,
    requestsFile: writeRequests(servers.site, 'beside-console', requests)
  }
}

async function measureOpenings(url: string, rounds: number): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  // The first browser of a machine reads its files from the disk, and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    const page = await openOverview(url)
    const figures = { 'usable ms': page.usableMs }
    await page.close()
    const measurement = { name: 'opened', round, figures, void: null }
    console.log(toLine(measurement))
    if (round > 0) measurements.push(measurement)
    await sleep(BETWEEN_MS)
  }
  return measurements
}

async function measureMinutes(url: string, minutes: number): Promise<Measurement[]> {
  const page = await openOverview(url)
  try {
    const measurements: Measurement[] = []
    for (let minute = 1; minute <= minutes; minute += 1) {
      const figures = await measureMinute(page)
      const measurement = { name: 'open, a minute', round: minute, figures, void: null }
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
