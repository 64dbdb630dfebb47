import { setTimeout as sleep } from 'node:timers/promises'
import { runCell } from '../cells.ts'
import { offerEvents } from '../chain/offer.ts'
import { countRows, findFault } from '../chain/rows.ts'
import { type Chain, startChain } from '../chain/start-chain.ts'
import { readMemory } from '../cpu.ts'
import { writeRequests } from '../load/run-load.ts'
import { MB } from '../memory.ts'
import { type Measurement, pickFigures } from '../report.ts'
import type { Servers } from '../servers.ts'
import { makeSingles } from '../workload.ts'
import { type Knob, type KnobLoad, toName } from './knobs.ts'

const WARM_SECONDS = 2
const CONNECTIONS = 64
/** What a gateway takes that is kept busy, about. */
const FULL_RATE = 20_000
const DRAIN_MS = 60_000
const POLL_MS = 100

/**
 * Measures a setting of the producer: a gateway for each value, all before one topic and one runner. Each gets a fixed
 * rate, and then all that it takes.
 */
export async function measureProduce(servers: Servers, knob: Knob, load: KnobLoad): Promise<Measurement[]> {
  const perSecond = load.rate + FULL_RATE / 2
  const events = knob.values.length * (WARM_SECONDS + load.rounds * load.seconds) * perSecond
  const chain = await startChain(servers, { events })
  const gateways = [chain.gateway]
  const measurements: Measurement[] = []
  try {
    for (const value of knob.values.slice(1)) gateways.push(await chain.start('gateway', { [knob.name]: value }))
    for (let round = load.isCold ? 1 : 0; round <= load.rounds; round += 1) {
      for (const [index, gateway] of gateways.entries()) {
        const seconds = round === 0 ? Math.min(WARM_SECONDS, load.seconds) : load.seconds
        const name = toName(knob, knob.values[index] ?? '')
        const measurement = await measureOnce({ ...chain, gateway }, { ...load, seconds, name, round })
        if (round === 0 && measurement.void === null) continue
        measurements.push(measurement)
        load.onMeasured(measurement)
      }
    }
  } finally {
    await Promise.all(gateways.slice(1).map(gateway => gateway.stop()))
    await chain.stop()
  }
  return measurements
}

type Once = Pick<KnobLoad, 'rate' | 'seconds'> & Pick<Measurement, 'name' | 'round'>

async function measureOnce(chain: Chain, once: Once): Promise<Measurement> {
  const { name, round, rate } = once
  const offered = await offerEvents(chain, { ...once, eventsPerSecond: rate, batch: 1 })
  const full = await saturate(chain, once)
  return {
    ...{ name, round },
    figures: {
      ...pickFigures(offered.figures, { 'p50 ms': 'visible p50 ms', 'p99 ms': 'visible p99 ms' }),
      ...pickFigures(full.figures, { 'events/s': 'events/s' }),
      ...pickFigures(offered.figures, { 'µs gateway': 'µs gateway', 'µs kafka': 'µs kafka', 'µs runner': 'µs runner' }),
      ...pickFigures(offered.figures, { 'µs postgres': 'µs postgres', 'µs all': 'µs all' }),
      ...pickFigures(full.figures, { 'µs gateway full': 'µs gateway', 'µs kafka full': 'µs kafka' }),
      MB: readMemory(chain.gateway.pid) / MB
    },
    void: offered.void ?? full.void
  }
}

/** Keeps the gateway busy; what it took is followed into PostgreSQL. */
async function saturate(chain: Chain, { name, round, seconds }: Once): Promise<Measurement> {
  const { site, pids } = chain.servers
  const before = await countRows(chain)
  const cell = {
    name,
    plan: {
      ...{ url: chain.gateway.url, seconds: seconds / 2, connections: CONNECTIONS, requestsPerSecond: null },
      ...{ expectedStatus: 202, answersFile: null, requestsFile: writeRequests(site, 'requests-full', makeSingles()) }
    },
    unitsPerRequest: 1,
    pids: { gateway: chain.gateway.pid, runner: chain.runner.pid, ...pids },
    async check({ requests }: { readonly requests: number }) {
      const untilMs = performance.now() + DRAIN_MS
      while ((await findFault(chain, requests, before)) !== null && performance.now() < untilMs) await sleep(POLL_MS)
      return findFault(chain, requests, before)
    }
  }
  return runCell(site, cell, { round, units: 'events' })
}
