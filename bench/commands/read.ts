import { setTimeout as sleep } from 'node:timers/promises'
import { type Cell, runRounds } from '../cells.ts'
import { offerEvents } from '../chain/offer.ts'
import { countSettled } from '../chain/rows.ts'
import type { Chain } from '../chain/start-chain.ts'
import { withChain } from '../chain/with-chain.ts'
import type { PlannedRequest } from '../load/plan.ts'
import { runLoad, writeRequests } from '../load/run-load.ts'
import { toCount, toNumber } from '../options.ts'
import { summarise, toRatio, toTable } from '../report.ts'
import { type Service, startService, toContenderCommand } from '../services.ts'
import type { Bench, Report, Values } from '../types.ts'
import { makeSingles } from '../workload.ts'

/**
 * One message by id, and a page of 50: our gateway beside a bare server, alone and while events arrive, as fast as can be
 * and at a fixed rate.
 */
export const readBench: Bench = {
  options: {
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '32' },
    events: { type: 'string', default: '20000' },
    // Half of what the chain takes when each event has a request of its own.
    rate: { type: 'string', default: '3000' },
    reads: { type: 'string', default: '1000' }
  },

  run: (servers, values) =>
    withChain(servers, { events: countEvents(values) }, async chain => {
      const bare = await startService(servers, 'bare-reads', {
        toCommand: port => toContenderCommand('bare-reads', { DATABASE_URL: chain.databaseUrl, PORT: String(port) }),
        path: '/health/ready'
      })
      try {
        return await measureReads(chain, bare, values)
      } finally {
        await bare.stop()
      }
    })
}

const NOTE = `Ours logs a line a request into a file, as in production; the bare server logs nothing. At a fixed rate, times
run from when a request was due, or else from when it was sent.
While events arrive, the CPU of our gateway and of PostgreSQL is that of the events too.`

const FILL = { eventsPerSecond: 5_000, batch: 1_000 }
const IDS = 5_000
const PAGE: PlannedRequest = { method: 'GET', path: '/api/messages?limit=50', body: null }
/** The load that events come from begins before the reads and ends after them. */
const MARGIN_SECONDS = 3
/** Cells with events beside them: two kinds of two sides, as fast as can be and at a fixed rate. */
const BESIDE = 8
const CONNECTIONS_OF_CHAIN = 64
const SETTLE_MS = 60_000
const POLL_MS = 50

async function measureReads(chain: Chain, bare: Service, values: Values): Promise<Report> {
  await fill(chain, toCount(values, 'events'))
  const points = await makePoints(chain)
  await compare(chain.gateway, bare, [...points.slice(0, 20), PAGE])

  const cells = toCells(chain, bare, { points, values })
  const measurements = await runRounds(chain.servers, cells, { rounds: toCount(values, 'rounds'), units: 'requests' })
  const summaries = summarise(measurements)
  const ratios = ['point', 'page'].flatMap(kind =>
    ['requests/s', 'p99 ms', 'µs server', 'µs all'].map(figure =>
      toRatio(measurements, figure, [`${kind}, ours`, `${kind}, bare`])
    )
  )
  return {
    text: [toTable(summaries), ...ratios, NOTE].join('\n'),
    data: { summaries, ratios, measurements },
    isVoid: measurements.some(measurement => measurement.void !== null)
  }
}

/** What is filled in, and what comes beside the reads. */
function countEvents(values: Values): number {
  const seconds = toNumber(values, 'seconds') + MARGIN_SECONDS
  return toCount(values, 'events') + BESIDE * (toCount(values, 'rounds') + 1) * seconds * toNumber(values, 'rate')
}

async function fill(chain: Chain, events: number): Promise<void> {
  const seconds = Math.ceil(events / FILL.batch) * (FILL.batch / FILL.eventsPerSecond)
  const { void: why } = await offerEvents(chain, { ...FILL, name: 'fill', round: 0, seconds })
  if (why !== null) throw new Error(`the tables were not filled: ${why}`)
  await chain.sql`VACUUM ANALYZE messages`
}

async function makePoints({ sql }: Chain): Promise<PlannedRequest[]> {
  const rows = await sql`SELECT id FROM messages ORDER BY random() LIMIT ${IDS}`
  return rows.map(({ id }) => ({ method: 'GET', path: `/api/messages/${id}`, body: null }))
}

/** Both give the same bytes, or the comparison is none. */
async function compare(ours: Service, bare: Service, requests: readonly PlannedRequest[]): Promise<void> {
  for (const { path } of requests) {
    const [one, other] = await Promise.all([ours, bare].map(async ({ url }) => (await fetch(url + path)).text()))
    if (one !== other) throw new Error(`the answers to ${path} differ: ${one} and ${other}`)
  }
}

function toCells(
  chain: Chain,
  bare: Service,
  { points, values }: { readonly points: readonly PlannedRequest[]; readonly values: Values }
): Cell[] {
  const { site, pids } = chain.servers
  const sides = [
    ['ours', chain.gateway],
    ['bare', bare]
  ] as const
  const kinds = [
    ['point', points],
    ['page', [PAGE]]
  ] as const
  const alone = kinds.flatMap(([kind, requests]) =>
    sides.map(([side, service]) => toCell(kind, side, { requests, service }))
  )
  const offered = alone.map(cell => atFixedRate(cell, toNumber(values, 'reads')))
  return [...alone, ...[...alone, ...offered].map(cell => ({ ...cell, ...besideEvents(chain, cell, values) }))]

  function toCell(
    kind: string,
    side: string,
    { requests, service }: { readonly requests: readonly PlannedRequest[]; readonly service: Service }
  ): Cell {
    return {
      name: `${kind}, ${side}`,
      plan: {
        ...{ url: service.url, requestsPerSecond: null, expectedStatus: 200, answersFile: null },
        connections: toCount(values, 'connections'),
        seconds: toNumber(values, 'seconds'),
        requestsFile: writeRequests(site, kind, requests)
      },
      unitsPerRequest: 1,
      pids: { server: service.pid, postgres: pids.postgres }
    }
  }
}

/** The same cell, offered in an open loop. */
function atFixedRate(cell: Cell, requestsPerSecond: number): Cell {
  return { ...cell, name: `${cell.name}, ${requestsPerSecond}/s`, plan: { ...cell.plan, requestsPerSecond } }
}

/** The same cell while events are posted, one a request. */
function besideEvents(chain: Chain, { name, plan }: Cell, values: Values): Pick<Cell, 'name' | 'around'> {
  const { servers, gateway } = chain
  const rate = toNumber(values, 'rate')
  const events = {
    ...{ url: gateway.url, connections: CONNECTIONS_OF_CHAIN, requestsPerSecond: rate, answersFile: null },
    seconds: plan.seconds + MARGIN_SECONDS,
    expectedStatus: 202,
    requestsFile: writeRequests(servers.site, 'events-beside', makeSingles())
  }
  return {
    name: `${name}, ${rate} events/s`,
    async around(work) {
      const before = await countSettled(chain)
      let begin: () => void = () => undefined
      const begun = new Promise<void>(resolve => {
        begin = resolve
      })
      const load = runLoad(servers.site, events, { onBegin: () => begin() })
      const [measurement, { requests, firstFailure }] = await Promise.all([begun.then(work), load])
      const late = await waitUntilSettled(chain, before + requests)
      return { ...measurement, void: measurement.void ?? firstFailure ?? late }
    }
  }
}

/** The cell after this one is alone: the runner has nothing left to do. Gives why not, after a minute. */
async function waitUntilSettled(chain: Chain, events: number): Promise<string | null> {
  for (const untilMs = performance.now() + SETTLE_MS; performance.now() < untilMs; await sleep(POLL_MS))
    if ((await countSettled(chain)) >= events) return null
  return 'the events beside it were not settled'
}
