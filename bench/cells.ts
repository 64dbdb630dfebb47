import type { Site } from '../stack/site.ts'
import { type CpuUse, startCpuMeter, toGoneReason } from './cpu.ts'
import type { LoadResult, Plan } from './load/plan.ts'
import { runLoad } from './load/run-load.ts'
import { type Measurement, toLine } from './report.ts'
import type { Servers } from './servers.ts'

/** One side of a comparison, under a closed loop. */
export interface Cell {
  readonly name: string
  readonly plan: Plan
  /** What is counted: events of a request, or 1 for the request itself. */
  readonly unitsPerRequest: number
  /** Whose CPU time is measured, by name. */
  readonly pids: Readonly<Record<string, number>>
  /** Looks, after a run, for what makes it void; null when it counts. */
  readonly check?: (result: LoadResult) => Promise<string | null>
  /** Runs the measurement while something else goes on. */
  readonly around?: (work: () => Promise<Measurement>) => Promise<Measurement>
}

/**
 * Runs the cells of each round, in every other round from the last to the first: sides alternate, and none always comes
 * behind the same one. The first round warms everything up, and does not count.
 */
export async function runRounds(
  { site }: Servers,
  cells: readonly Cell[],
  { rounds, units }: { readonly rounds: number; readonly units: string }
): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  for (let round = 0; round <= rounds; round += 1) {
    for (const cell of round % 2 === 0 ? cells : cells.toReversed()) {
      const run = () => runCell(site, cell, { round, units })
      const measurement = await (cell.around ? cell.around(run) : run())
      if (round === 0 && measurement.void === null) continue
      measurements.push(measurement)
      console.log(toLine(measurement))
    }
  }
  return measurements
}

/** Runs one side once. */
export async function runCell(
  site: Site,
  { name, plan, unitsPerRequest, pids, check }: Cell,
  { round, units }: { readonly round: number; readonly units: string }
): Promise<Measurement> {
  const uses: CpuUse[] = []
  let readCpu = startCpuMeter({})
  const result = await runLoad(site, plan, {
    onBegin: () => {
      readCpu = startCpuMeter(pids)
    },
    onEnd: () => void uses.push(readCpu())
  })
  const [used = readCpu()] = uses
  const cpu = { ...used, own: { ...used.own, generator: result.cpuMicroseconds } }
  const count = result.requests * unitsPerRequest
  return {
    name,
    round,
    figures: {
      [`${units}/s`]: count / result.seconds,
      'p50 ms': result.latencyMs.p50,
      'p99 ms': result.latencyMs.p99,
      ...toCpuFigures(cpu, { units: count, seconds: result.seconds })
    },
    void: result.firstFailure ?? toGoneReason(used) ?? (await check?.(result)) ?? null
  }
}

/**
 * CPU time of each process for one unit, of all but the generator, and how many cores somebody else kept busy: figures of
 * a round with many are worth little.
 */
export function toCpuFigures(
  { own, machine }: Pick<CpuUse, 'own' | 'machine'>,
  { units, seconds }: { readonly units: number; readonly seconds: number }
): Record<string, number> {
  const { generator = 0, ...rest } = own
  const all = sum(Object.values(rest))
  const entries = Object.entries({ ...rest, all, generator }).map(([name, used]) => [`µs ${name}`, used / units])
  return { ...Object.fromEntries(entries), 'cores elsewhere': Math.max(0, machine - all - generator) / seconds / 1e6 }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
