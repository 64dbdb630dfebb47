import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault, Need } from './catalogue/fault.ts'
import { catalogue } from './catalogue/index.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { findFaketime } from './faketime.ts'
import type { Machine } from './machine.ts'
import type { FaultOptions } from './options.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { createRandom } from './random.ts'
import { runSchedule, type ScheduleResult } from './schedule.ts'

/** One schedule to run. */
export interface Plan {
  readonly name: string
  readonly seed: string
  readonly faults: readonly Fault[]
}

const CRASH_COUNTING = join(import.meta.dirname, '..', '..', 'runner', 'trial.ts')
const FAULTS = { least: 2, most: 3 }

/** Draws the faults of every schedule, each from its own seed. */
export function planSchedules({ schedules, seed, isCatalogue, times, only }: FaultOptions): Plan[] {
  const chosen = catalogue.filter(
    ({ name, row }) => only.length === 0 || only.includes(name) || only.includes(String(row))
  )
  if (chosen.length === 0) throw new Error(`--only names none of ${catalogue.map(({ name }) => name).join(', ')}`)
  if (isCatalogue) {
    return chosen.flatMap(fault =>
      Array.from({ length: times }, (_, index) => ({
        name: `c${fault.row}-${fault.name}-${seed + index}`,
        seed: String(seed + index),
        faults: [fault]
      }))
    )
  }
  return Array.from({ length: schedules }, (_, index) => {
    const own = String(seed + index)
    return { name: `s${own}`, seed: own, faults: drawFaults(chosen, own) }
  })
}

function drawFaults(from: readonly Fault[], seed: string): Fault[] {
  const random = createRandom(`${seed}/faults`)
  const together = from.filter(({ isAlone, needs = [] }) => !isAlone && needs.length === 0)
  // Three brokers cost a start: one schedule in eight has them, where they can be had.
  const others = from.filter(({ isAlone, needs = [] }) => !isAlone && needs.length > 0)
  const count = random.integer(FAULTS.least, FAULTS.most)
  const special = others.length > 0 && (together.length === 0 || random.chance(1 / 8)) ? [random.pick(others)] : []
  return [...special, ...random.sample(together, count - special.length)]
}

/** Says what a machine cannot do; null when it can all that these faults need. */
export function whyNot(faults: readonly Fault[]): string | null {
  const needs = new Set(faults.flatMap(({ needs: own = [] }) => own))
  return [...needs].map(whyNotOne).find(reason => reason !== null) ?? null
}

function whyNotOne(need: Need): string | null {
  if (need === 'crash-counting') return existsSync(CRASH_COUNTING) ? null : 'the runner does not count crashes yet'
  if (need === 'mount') return process.getuid?.() === 0 && process.platform === 'linux' ? null : 'no right to mount'
  if (need === 'loopback') return process.platform === 'linux' ? null : 'one loopback address only'
  if (need === 'faketime') return findFaketime() === null ? 'no libfaketime (Debian: faketime)' : null
  return null
}

/** Servers that schedules share: PostgreSQL, and the cluster of each size that was asked for. */
export interface Servers {
  readonly postgres: Postgres
  cluster(count: 1 | 3): Promise<Cluster>
  stop(): Promise<void>
}

/** Starts PostgreSQL; clusters come when they are first needed, one at a time. */
export async function startServers(machine: Machine): Promise<Servers> {
  const postgres = await startPostgres(machine)
  let current: { count: number; cluster: Cluster } | null = null
  let made = 0
  return {
    postgres,
    async cluster(count) {
      if (current?.count === count) return current.cluster
      await current?.cluster.stop()
      current = null
      made += 1
      const dataFolder = join(machine.dataFolder, `cluster-${made}`)
      current = { count, cluster: await startCluster(machine, { count, dataFolder }) }
      return current.cluster
    },
    async stop() {
      await current?.cluster.stop()
      await postgres.stop()
    }
  }
}

/** Runs one plan on the shared servers; null when the machine cannot, with the reason said. */
export async function runPlan(
  plan: Plan,
  {
    servers,
    machine,
    options,
    folder
  }: {
    servers: Servers
    machine: Machine
    options: FaultOptions & { readonly drainTimeoutMs?: number }
    folder: string
  }
): Promise<ScheduleResult> {
  const count = plan.faults.some(({ needs }) => needs?.includes('three-brokers')) ? 3 : 1
  return runSchedule({
    ...options,
    ...plan,
    name: `${plan.name}${options.isNaive ? '-naive' : ''}-${Date.now().toString(36)}`,
    cluster: await servers.cluster(count),
    postgres: servers.postgres,
    machine,
    folder: join(folder, plan.name + (options.isNaive ? '-naive' : '')),
    keep: options.keepFolder !== null && options.schedules === 1
  })
}
