import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { cpus, freemem, loadavg, totalmem } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type CpuTimes, parseCpuTimes, parseMounts, parseTraffic, toCpuUsage } from './parse-proc.ts'

/** One thing that was measured. */
export interface Reading {
  readonly name: string
  readonly value: number
  readonly unit: 'ratio' | 'bytes' | 'ms' | 'processes'
  readonly labels: Readonly<Record<string, string>>
}

type Meter = () => readonly Reading[] | Promise<readonly Reading[]>

const LOOP_RESOLUTION_MS = 10
const LOOP_WINDOW_MS = 1_000

/** Builds the meters of this machine and this process. `close` ends what they keep running. */
export function createMeters() {
  const eventLoop = createEventLoopMeter()
  const meters: readonly Meter[] = [
    createCpuMeter(),
    readLoad,
    readMemory,
    eventLoop.read,
    readHeap,
    readTraffic,
    ...findMounts().map(mount => () => readDisk(mount))
  ]
  let next = 0

  return {
    /** Reads the next meter, in turn; empty when it has nothing to tell. */
    async read(): Promise<readonly Reading[]> {
      const meter = meters[next % meters.length]
      next += 1
      return meter ? meter() : []
    },
    close: eventLoop.close
  }
}

function createCpuMeter(): Meter {
  let before = readCpuTimes()

  return () => {
    const after = readCpuTimes()
    const usages = toCpuUsage(before, after)
    // The clock ticks a hundred times a second: asked more often, it has nothing new to say, and is asked again.
    if (usages.length > 0) before = after
    return usages.map(({ cpu, usage }) => toReading('cpu.usage', usage, 'ratio', { cpu }))
  }
}

function readCpuTimes(): CpuTimes[] {
  const stat = readProc('stat')
  if (stat) return parseCpuTimes(stat)

  return cpus().map(({ times: { user, nice, sys, idle, irq } }, index) => {
    const busy = user + nice + sys + irq
    return { cpu: `cpu${index}`, busy, total: busy + idle }
  })
}

function readLoad(): Reading[] {
  const minutes = ['1', '5', '15']
  return loadavg().map((load, index) => toReading('load.average', load, 'processes', { minutes: minutes[index] ?? '' }))
}

function readMemory(): Reading[] {
  const [total, used] = [totalmem(), totalmem() - freemem()]
  return [toReading('memory.used', used, 'bytes'), toReading('memory.usage', used / total, 'ratio')]
}

function createEventLoopMeter() {
  const delays = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  delays.enable()
  let resetAt = performance.now()

  return {
    close: () => delays.disable(),
    read(): Reading[] {
      const readings = delays.count === 0 ? [] : [50, 99].map(toDelay)
      if (performance.now() - resetAt >= LOOP_WINDOW_MS) {
        delays.reset()
        resetAt = performance.now()
      }
      return readings
    }
  }

  // It records the time between two firings of its timer: the delay is what is above the timer's own interval.
  function toDelay(percentile: number): Reading {
    const delayMs = Math.max(0, delays.percentile(percentile) / 1e6 - LOOP_RESOLUTION_MS)
    return toReading('event-loop.delay', delayMs, 'ms', { percentile: String(percentile) })
  }
}

function readHeap(): Reading[] {
  const { heapUsed, heapTotal, rss } = process.memoryUsage()
  return [
    toReading('heap.used', heapUsed, 'bytes'),
    toReading('heap.total', heapTotal, 'bytes'),
    toReading('process.resident', rss, 'bytes')
  ]
}

function readTraffic(): Reading[] {
  return parseTraffic(readProc('net/dev')).flatMap(({ interface: name, receivedBytes, sentBytes }) => [
    toReading('network.received', receivedBytes, 'bytes', { interface: name }),
    toReading('network.sent', sentBytes, 'bytes', { interface: name })
  ])
}

async function readDisk(mount: string): Promise<Reading[]> {
  // One that was unmounted meanwhile, or is closed to us, has nothing to tell.
  const disk = await statfs(mount).catch(() => null)
  if (!disk || disk.blocks === 0) return []
  const usage = 1 - disk.bfree / disk.blocks
  return [
    toReading('disk.available', disk.bavail * disk.bsize, 'bytes', { mount }),
    toReading('disk.usage', usage, 'ratio', { mount })
  ]
}

function findMounts(): string[] {
  return parseMounts(readProc('mounts'))
}

/** Empty where there is no such file: on anything but Linux. */
function readProc(name: string): string {
  try {
    return readFileSync(`/proc/${name}`, 'utf8')
  } catch {
    return ''
  }
}

function toReading(
  name: string,
  value: number,
  unit: Reading['unit'],
  labels: Readonly<Record<string, string>> = {}
): Reading {
  return { name, value, unit, labels }
}
