import { toCpuFigures } from '../cells.ts'
import { type CpuUse, startCpuMeter, toGoneReason } from '../cpu.ts'
import type { LoadResult } from '../load/plan.ts'
import { machineMs } from '../machine-clock.ts'
import { readMemoryFigures } from '../memory.ts'
import { toQuantiles } from '../quantiles.ts'
import type { Measurement } from '../report.ts'
import { type Load, type Sent, sendAndFollow } from './follow.ts'
import { countRows, findFault } from './rows.ts'
import type { Chain } from './start-chain.ts'
import { type PositionWatch, watchPositions } from './watch-positions.ts'

/** A load of one round of a comparison. */
export interface Offer extends Load {
  readonly name: string
  readonly round: number
}

/**
 * Offers events to a chain and follows each into PostgreSQL: times run from the moment it was due. Void when one failed,
 * or when its row is not there.
 */
export async function offerEvents(chain: Chain, offer: Offer): Promise<Measurement> {
  const rowsBefore = await countRows(chain)
  const watch = await watchPositions(chain)
  let readCpu = startChainMeter(chain, watch)
  let memory: Record<string, number> = {}

  const { result, events } = await sendAndFollow(chain, offer, {
    watch,
    onBegin: () => {
      readCpu = startChainMeter(chain, watch)
    },
    onEnd: () => {
      memory = readMemoryFigures(toPids(chain))
    }
  })
  const used = readCpu()
  const cpu = { ...used, own: { ...used.own, generator: (used.own.generator ?? 0) + result.cpuMicroseconds } }
  const seconds = (machineMs() - result.startMs) / 1000
  await watch.stop()

  const unseen = events.filter(({ visibleMs }) => visibleMs === null).length
  return {
    name: offer.name,
    round: offer.round,
    figures: {
      ...toTimes(events, offer, result),
      ...toCpuFigures(cpu, { units: events.length, seconds }),
      ...memory
    },
    void:
      result.firstFailure ??
      toGoneReason(used) ??
      (unseen > 0 ? `${unseen} events not seen` : null) ??
      (await findFault(chain, events.length, rowsBefore))
  }
}

function toPids({ gateway, runner, servers }: Chain): Record<string, number> {
  return { gateway: gateway.pid, runner: runner.pid, ...servers.pids }
}

/** The generator's share is what looking costs, here and in PostgreSQL, where it is taken off. */
function startChainMeter(chain: Chain, { backendPid }: PositionWatch) {
  const read = startCpuMeter({ ...toPids(chain), watch: backendPid })
  const own = process.cpuUsage()
  return (): CpuUse => {
    const { own: used, ...others } = read()
    const { watch = 0, postgres: all = 0, ...rest } = used
    const { user, system } = process.cpuUsage(own)
    return { ...others, own: { ...rest, postgres: all - watch, generator: watch + user + system } }
  }
}

function toTimes(events: readonly Sent[], { seconds }: Offer, { startMs }: LoadResult): Record<string, number> {
  const endMs = startMs + seconds * 1000
  const answered = toQuantiles(events.map(({ answeredMs, dueMs }) => answeredMs - dueMs))
  const visible = toQuantiles(events.flatMap(({ visibleMs, dueMs }) => (visibleMs === null ? [] : [visibleMs - dueMs])))
  const answeredAtEnd = events.filter(({ answeredMs }) => answeredMs <= endMs).length
  const visibleAtEnd = events.filter(({ visibleMs }) => visibleMs !== null && visibleMs <= endMs).length
  return {
    'answered/s': answeredAtEnd / seconds,
    'visible/s': visibleAtEnd / seconds,
    'lag at end': Math.max(0, answeredAtEnd - visibleAtEnd),
    'answer p50 ms': answered.p50,
    'answer p99 ms': answered.p99,
    'answer max ms': answered.max,
    'visible p50 ms': visible.p50,
    'visible p99 ms': visible.p99,
    'visible max ms': visible.max
  }
}
