import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const MICROSECONDS_PER_TICK = 1_000_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/**
 * CPU time of a process and all its descendants so far, in microseconds, with those that ended and were waited for; from
 * `/proc`, so on Linux alone. Null when it is gone, or runs elsewhere.
 */
export function readCpu(pid: number): number | null {
  if (!readStat(String(pid))) return null
  const ticks = listTree(pid).reduce((sum, member) => sum + (readStat(String(member))?.ticks ?? 0), 0)
  return ticks * MICROSECONDS_PER_TICK
}

/** A process and all its descendants that live now. */
export function listTree(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(name) : null
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)])
  }
  const tree = [pid]
  for (const member of tree) tree.push(...(children.get(member) ?? []))
  return tree
}

/** Resident memory of a process in bytes; 0 when it is gone. */
export function readMemory(pid: number): number {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Microseconds so far in which the first thread of a process could have worked and had no core; 0 where nobody counts them. */
export function readStarved(pid: number): number {
  try {
    // Time on a core, time waited for one, turns (https://docs.kernel.org/scheduler/sched-stats.html); nanoseconds.
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1] ?? 0) / 1000
  } catch {
    return 0
  }
}

function readStat(pid: string): { parent: number; ticks: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before may hold anything, brackets too (proc(5): state, ppid, …; utime is the 14th field).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0)
    return { parent: Number(fields[1]), ticks }
  } catch {
    return null
  }
}

/** What processes used, in microseconds. */
export interface CpuUse {
  /** By name; without those that are gone, whose time nobody knows. */
  readonly own: Readonly<Record<string, number>>
  /** Names of those that are gone. */
  readonly gone: readonly string[]
  /** Of the whole machine, whoever ran. */
  readonly machine: number
}

/** Reads the clocks of some processes and of the machine, and gives how to learn what was used since. */
export function startCpuMeter(pids: Readonly<Record<string, number>>): () => CpuUse {
  const read = () => Object.entries(pids).map(([name, pid]) => [name, readCpu(pid)] as const)
  const [before, machineBefore] = [new Map(read()), readMachine()]
  return () => {
    const used = read().map(([name, after]) => [name, subtract(after, before.get(name))] as const)
    return {
      own: Object.fromEntries(used.flatMap(([name, time]) => (time === null ? [] : [[name, time]]))),
      gone: used.flatMap(([name, time]) => (time === null ? [name] : [])),
      machine: readMachine() - machineBefore
    }
  }
}

/** Why a run is void whose processes did not live through it; null when all did. */
export function toGoneReason({ gone }: Pick<CpuUse, 'gone'>): string | null {
  return gone.length === 0 ? null : `no CPU time of ${gone.join(', ')}: gone, or not on this machine`
}

function subtract(after: number | null, before: number | null | undefined): number | null {
  return after === null || before == null ? null : after - before
}

/** All that is no waiting, of all cores (proc(5): user, nice, system, idle, iowait, irq, softirq, steal). */
function readMachine(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
  const [user = 0, nice = 0, system = 0, , , ...interrupts] = line.split(/ +/).slice(1, 9).map(Number)
  return (user + nice + system + interrupts.reduce((sum, ticks) => sum + ticks, 0)) * MICROSECONDS_PER_TICK
}
