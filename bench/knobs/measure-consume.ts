import { setTimeout as sleep } from 'node:timers/promises'
import { sendSignal } from '../../stack/processes.ts'
import { sendAndFollow } from '../chain/follow.ts'
import { offerEvents } from '../chain/offer.ts'
import { countRows, findFault } from '../chain/rows.ts'
import { type Chain, startChain } from '../chain/start-chain.ts'
import { watchPositions } from '../chain/watch-positions.ts'
import { drain } from '../drain.ts'
import { MB } from '../memory.ts'
import { type Measurement, pickFigures } from '../report.ts'
import type { Servers } from '../servers.ts'
import { toRunnerCommand } from '../services.ts'
import { readShares } from '../topics.ts'
import { type Knob, type KnobLoad, toName } from './knobs.ts'

/** Of an idle chain. */
const IDLE_RATE = 20
const WARM_SECONDS = 1
/** While a runner is killed. */
const KILL = { eventsPerSecond: 200, seconds: 6, afterMs: 2_000 }
const JOIN_MS = 60_000
/** Of a chain, at most: both have little to do. */
const EVENTS = 5_000
const POLL_MS = 200

/** Measures a setting of the consumer: the runner drains a topic, with one value after the other. */
export async function measureDrain(servers: Servers, knob: Knob, load: KnobLoad): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  const contenders = knob.values.map((value, index) => ({
    // Part of the name of a database.
    name: `value-${index}`,
    value,
    toCommand: (run: Parameters<typeof toRunnerCommand>[0]) =>
      toRunnerCommand({ ...run, settings: { [knob.name]: value } })
  }))
  await drain(servers, {
    ...{ events: load.events, rounds: load.rounds, isCold: load.isCold, contenders },
    onResult({ name: contender, round, eventsPerSecond, cpu, maxMemoryBytes, void: why }) {
      const { value = '' } = contenders.find(({ name }) => name === contender) ?? {}
      const figures = {
        'events/s': eventsPerSecond,
        ...{ 'µs kafka': cpu.kafka, 'µs runner': cpu.self, 'µs postgres': cpu.postgres },
        'µs all': cpu.kafka + cpu.self + cpu.postgres,
        MB: maxMemoryBytes / MB
      }
      const measurement = { name: toName(knob, value), round, figures, void: why }
      measurements.push(measurement)
      load.onMeasured(measurement)
    }
  })
  return measurements
}

/** Measures a setting of the consumer in a chain that has nearly nothing to do; its CPU is mostly that of waiting. */
export function measureIdle(servers: Servers, knob: Knob, load: KnobLoad): Promise<Measurement[]> {
  return eachOnChain(servers, { knob, load }, async (chain, { name, round }) => {
    const offer = { name, round, eventsPerSecond: IDLE_RATE, seconds: load.seconds, batch: 1 }
    // The first fetch of a runner may have to wait for as long as one may: that is its start.
    const warm = await offerEvents(chain, { ...offer, seconds: WARM_SECONDS })
    const { figures, void: why } = await offerEvents(chain, offer)
    return {
      ...{ name, round },
      figures: pickFigures(figures, {
        ...{ 'p50 ms': 'visible p50 ms', 'p99 ms': 'visible p99 ms' },
        ...{ 'µs kafka': 'µs kafka', 'µs runner': 'µs runner', 'µs postgres': 'µs postgres', 'µs all': 'µs all' },
        MB: 'RSS MB runner'
      }),
      void: warm.void ?? why
    }
  })
}

/** Measures how long the partitions of a runner stand still that is killed beside another one. */
export function measureKill(servers: Servers, knob: Knob, load: KnobLoad): Promise<Measurement[]> {
  // Once: it is a matter of seconds, and takes them.
  return eachOnChain(servers, { knob, load: { ...load, rounds: 1 } }, async (chain, { name, round, value }) => {
    const victim = await chain.start('runner')
    try {
      const untilMs = performance.now() + JOIN_MS
      while (!(await isShared(chain)) && performance.now() < untilMs) await sleep(POLL_MS)
      // Whoever kills a runner that owns nothing learns nothing.
      if (!(await isShared(chain))) return { name, round, figures: {}, void: 'not both runners owned partitions' }
      return { name, round, ...(await killBeside(chain, victim.pid, { longestMs: Number(value) + JOIN_MS })) }
    } finally {
      await victim.stop()
    }
  })
}

/** Whether both runners own partitions; the topic has more of them than there are runners. */
async function isShared({ servers, groupId }: Chain): Promise<boolean> {
  const shares = await readShares(servers.kafkaBrokers, groupId)
  return shares.length === 2 && shares.every(partitions => partitions > 0)
}

async function killBeside(chain: Chain, pid: number, { longestMs }: { readonly longestMs: number }) {
  const before = await countRows(chain)
  const watch = await watchPositions(chain)
  let isKilled = false
  const { result, events } = await sendAndFollow(
    chain,
    { ...KILL, batch: 1 },
    {
      watch,
      drainMs: longestMs,
      onBegin() {
        setTimeout(() => {
          isKilled = sendSignal(pid, 'SIGKILL')
        }, KILL.afterMs)
      }
    }
  )
  await watch.stop()
  const waitsMs = events.map(({ dueMs, visibleMs }) => (visibleMs ?? Number.POSITIVE_INFINITY) - dueMs)
  return {
    figures: { 'stands still s': Math.max(...waitsMs) / 1000 },
    void:
      result.firstFailure ??
      (isKilled ? null : 'the runner was gone before it was killed') ??
      (await findFault(chain, events.length, before))
  }
}

interface Turn {
  readonly name: string
  readonly value: string
  readonly round: number
}

/** Measures on a chain for each value and round, in turn. */
async function eachOnChain(
  servers: Servers,
  { knob, load }: { readonly knob: Knob; readonly load: KnobLoad },
  measure: (chain: Chain, turn: Turn) => Promise<Measurement>
): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  for (let round = 1; round <= load.rounds; round += 1) {
    for (const value of knob.values) {
      const chain = await startChain(servers, { events: EVENTS, settings: { [knob.name]: value } })
      try {
        const measurement = await measure(chain, { name: toName(knob, value), value, round })
        measurements.push(measurement)
        load.onMeasured(measurement)
      } finally {
        await chain.stop()
      }
    }
  }
  return measurements
}
