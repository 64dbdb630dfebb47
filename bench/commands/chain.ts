import { type Offer, offerEvents } from '../chain/offer.ts'
import type { Chain } from '../chain/start-chain.ts'
import { WATCH_MS } from '../chain/watch-positions.ts'
import { withChain } from '../chain/with-chain.ts'
import { toCount, toNumber } from '../options.ts'
import { type Measurement, summarise, toLine, toTable } from '../report.ts'
import type { Servers } from '../servers.ts'
import type { Bench, Report } from '../types.ts'

type Way = Pick<Offer, 'name' | 'eventsPerSecond' | 'batch'>

interface TurnLoad {
  readonly seconds: number
  readonly rounds: number
  readonly isCold?: boolean
}

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

  run(servers, values) {
    const batch = toCount(values, 'batch')
    const ways: Way[] = [
      { name: 'single', eventsPerSecond: toNumber(values, 'rate'), batch: 1 },
      { name: `batches of ${batch}`, eventsPerSecond: toNumber(values, 'batch-rate'), batch }
    ]
    const load = { seconds: toNumber(values, 'seconds'), rounds: toCount(values, 'rounds') }
    if (!values.find) return offerInTurn(servers, ways, load)
    const step = toNumber(values, 'step')
    return withChain(servers, { events: Number.POSITIVE_INFINITY }, chain => findLimits(chain, ways, { ...load, step }))
  }
}

/** A rate is too high when 1 of 100 events becomes visible so late. */
const LIMIT_MS = 100
const WARM_SECONDS = 10

const NOTE = `Times run from when a request was due. A row counts as visible at the first look after its commit, and looks
are ${WATCH_MS} ms apart. The generator's CPU is with that of looking. Memory is read at the last answer, of a part with all
its processes; what they share is in RSS once for each, and in PSS once; wanted: all together below 4,096 MB.`

/**
 * Offers each way in each round, in turn; a short round before the first warms everything up, and does not count, unless
 * it is left out for a look at whether it works.
 */
export function offerInTurn(servers: Servers, ways: readonly Way[], load: TurnLoad): Promise<Report> {
  const perSecond = ways.reduce((sum, { eventsPerSecond }) => sum + eventsPerSecond, 0)
  const events = perSecond * (WARM_SECONDS + load.rounds * load.seconds)
  return withChain(servers, { events }, chain => offerOnChain(chain, ways, load))
}

async function offerOnChain(
  chain: Chain,
  ways: readonly Way[],
  { seconds, rounds, isCold = false }: TurnLoad
): Promise<Report> {
  const measurements: Measurement[] = []
  for (let round = isCold ? 1 : 0; round <= rounds; round += 1) {
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
 * it does in more than half of its rounds; the rest are not run. A void round holds none, and is reported.
 */
async function findLimits(
  chain: Chain,
  ways: readonly Way[],
  { seconds, rounds, step }: TurnLoad & { readonly step: number }
): Promise<Report> {
  const measurements: Measurement[] = []
  const limits: { readonly name: string; readonly eventsPerSecond: number | null }[] = []

  for (const way of ways) {
    const warm = await offerEvents(chain, { ...way, round: 0, seconds: Math.min(seconds, WARM_SECONDS) })
    if (warm.void !== null) measurements.push(warm)
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
    isVoid: measurements.some(measurement => measurement.void !== null)
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
