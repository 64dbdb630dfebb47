import { statfs } from 'node:fs/promises'
import { cpus, freemem, totalmem } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** One thing that was measured. */
export interface Reading {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly labels?: Readonly<Record<string, string>>
}

const LOOP_RESOLUTION_MS = 20

/**
 * Builds the meter of this process and its host: what was used since the last reading. Cores are counted: 1.5 is one
 * and a half. `close` ends the measuring of the event loop.
 */
export function createProcessMeter() {
  const delays = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  delays.enable()
  let before = look()

  return {
    async read(): Promise<Reading[]> {
      const now = look()
      const elapsedMs = Math.max(1, now.steadyMs - before.steadyMs)
      const cpuMs = now.cpuMs - before.cpuMs
      const hostMs = now.host.total - before.host.total
      const delayMs = delays.count === 0 ? 0 : Math.max(0, delays.percentile(99) / 1e6 - LOOP_RESOLUTION_MS)
      const hostUsage = hostMs > 0 ? (now.host.busy - before.host.busy) / hostMs : 0
      before = now
      delays.reset()

      return [
        { name: 'process.cpu.usage', value: cpuMs / elapsedMs, unit: 'cores' },
        { name: 'process.memory', value: process.memoryUsage.rss(), unit: 'bytes' },
        { name: 'process.event-loop.delay', value: delayMs, unit: 'ms', labels: { percentile: '99' } },
        { name: 'host.cpu.usage', value: hostUsage, unit: 'ratio' },
        { name: 'host.memory.usage', value: 1 - freemem() / totalmem(), unit: 'ratio' },
        ...(await readDisk())
      ]
    },
    close: () => delays.disable()
  }

  function look() {
    const { user, system } = process.cpuUsage()
    return { steadyMs: performance.now(), cpuMs: (user + system) / 1000, host: readHost() }
  }
}

function readHost() {
  const total = { busy: 0, total: 0 }
  for (const { times } of cpus()) {
    const busy = times.user + times.nice + times.sys + times.irq
    total.busy += busy
    total.total += busy + times.idle
  }
  return total
}

/** Of the file system that the process stands in; empty where it does not tell. */
async function readDisk(): Promise<Reading[]> {
  const disk = await statfs('.').catch(() => null)
  if (!disk || disk.blocks === 0) return []
  return [{ name: 'host.disk.usage', value: 1 - disk.bfree / disk.blocks, unit: 'ratio' }]
}
