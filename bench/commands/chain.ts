import { layOutWal } from '../chain/lay-out-wal.ts'
import { type Offer, offerEvents } from '../chain/offer.ts'
import { type Chain, startChain } from '../chain/start-chain.ts'
import { WATCH_MS } from '../chain/watch-positions.ts'
import { toCount } from '../options.ts'
import { type Measurement, summarise, toLine, toTable } from '../report.ts'
import type { Servers } from '../servers.ts'
import type { Bench, Report, Values } from '../types.ts'

type Way = Pick<Offer, 'name' | 'eventsPerSecond' | 'batch'>

/** POST until the row is visible, at a fixed rate, one event a request and many. */
export const chainBench: Bench = {
  options: {
    rate: { type: 'string', default: '1000' },
    'batch-rate': { type: 'string', default: '5000' },
    batch: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '30' },
    find: { type: 'boolean', default: false },
    step: { type: 'string', default: '1.25' }
  },

  run: (servers, values) => withChain(servers, chain => measureChain(chain, values))
}

/** A rate is too high when 1 of 100 events becomes visible so late. */
const LIMIT_MS = 100
const WARM_SECONDS = 10

const NOTE = `Times run from when a request was due. A row counts as visible at the first look after its commit, and looks
are ${WATCH_MS} ms apart. The generator's CPU is with that of looking. Memory is read at the last answer, of a part with all
its processes; what they share is in RSS once for each, and in PSS once; wanted: all together below 4,096 MB.`

async function measureChain(chain: Chain, values: Values): Promise<Report> {
  const batch = toCount(values, 'batch')
  const ways: Way[] = [
    { name: 'single', eventsPerSecond: toCount(values, 'rate'), batch: 1 },
    { name: `batches of ${batch}`, eventsPerSecond: toCount(values, 'batch-rate'), batch }
  ]
  const load = { seconds: toCount(values, 'seconds'), rounds: toCount(values, 'rounds') }
  return values.find
    ? findLimits(chain, ways, { ...load, step: toCount(values, 'step') })
    : offerInTurn(chain, ways, load)
}

/** Runs something on a chain of its own, and ends it. */
export async function withChain<T>(
  servers: Servers,
  work: (chain: Chain) => Promise<T>,
  settings: NodeJS.ProcessEnv = {}
): Promise<T> {
  const chain = await startChain(servers, settings)
  try {
    return await work(chain)
  } finally {
    await chain.stop()
  }
}

/** Offers each way in each round, in turn; a short round before the first warms everything up, and does not count. */
export async function offerInTurn(
  chain: Chain,
  ways: readonly Way[],
  { seconds, rounds }: { readonly seconds: number; readonly rounds: number }
): Promise<Report> {
  const measurements: Measurement[] = []
  const perSecond = ways.reduce((sum, { eventsPerSecond }) => sum + eventsPerSecond, 0)
  await layOutWal(chain.sql, perSecond * (WARM_SECONDS + rounds * seconds))

  for (let round = 0; round <= rounds; round += 1) {
    for (const way of ways) {
      const isWarming = round === 0
      const length = isWarming ? Math.min(seconds, WARM_SECONDS) : seconds
      const measurement = await offerEvents(chain, { ...way, round, seconds: length })
      if (isWarming && measurement.void === null) continue
      measurements.push(measurement)
      console.log(toLine(measurement))
    }
  }
  const summaries = summarise(measurements)
  return {
    text: [toTable(summaries), NOTE].join('\n'),
    data: { summaries, measurements },
    isVoid: measurements.some(measurement => measurement.void !== null)
  }
}

/**
 * Raises the rate of each way in steps, from its own on, until 1 of 100 events takes 100 ms or more. A rate holds when
 * it does in more than half of its rounds; the rest are not run.
 */
async function findLimits(
  chain: Chain,
  ways: readonly Way[],
  { seconds, rounds, step }: { readonly seconds: number; readonly rounds: number; readonly step: number }
): Promise<Report> {
  const measurements: Measurement[] = []
  const limits: { readonly name: string; readonly eventsPerSecond: number | null }[] = []

  for (const way of ways) {
    await offerEvents(chain, { ...way, round: 0, seconds: Math.min(seconds, WARM_SECONDS) })
    let held: number | null = null
    for (let rate = way.eventsPerSecond; await isHeld({ ...way, eventsPerSecond: rate }); rate *= step) held = rate
    limits.push({ name: way.name, eventsPerSecond: held })
  }
  const lines = limits.map(({ name, eventsPerSecond: rate }) => {
    return `${name}: ${rate === null ? 'no rate that was tried' : `${rate.toFixed(0)} events/s`} with a p99 below ${LIMIT_MS} ms`
  })
  return {
    text: [toTable(summarise(measurements)), ...lines, NOTE].join('\n'),
    data: { limits, measurements },
    isVoid: false
  }

  async function isHeld(way: Way): Promise<boolean> {
    const name = `${way.name}, ${way.eventsPerSecond.toFixed(0)} events/s`
    const counts = { good: 0, bad: 0 }
    for (let round = 1; Math.max(counts.good, counts.bad) <= rounds / 2; round += 1) {
      const measurement = await offerEvents(chain, { ...way, name, round, seconds })
      measurements.push(measurement)
      console.log(toLine(measurement))
      const isGood = measurement.void === null && (measurement.figures['visible p99 ms'] ?? 0) < LIMIT_MS
      counts[isGood ? 'good' : 'bad'] += 1
    }
    return counts.good > counts.bad
  }
}
