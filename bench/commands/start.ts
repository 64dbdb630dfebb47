import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { readMemory } from '../cpu.ts'
import { openDatabases } from '../databases.ts'
import { MB } from '../memory.ts'
import { toCount } from '../options.ts'
import { type Measurement, summarise, toLine, toTable } from '../report.ts'
import type { Servers } from '../servers.ts'
import { type Place, startService, toGatewayCommand, toRunnerCommand } from '../services.ts'
import type { Bench } from '../types.ts'

const REST_MS = 10_000

/** How our processes begin, and how much memory they hold when they had nothing to do for ten seconds. */
export const startBench: Bench = {
  options: {},

  async run(servers, values) {
    const rounds = toCount(values, 'rounds')
    const measurements: Measurement[] = []
    const databases = await openDatabases(servers.databaseUrl)
    const topicPrefix = `b${randomBytes(4).toString('hex')}.`
    try {
      const place = {
        ...servers,
        databaseUrl: await databases.create('bench_start'),
        topicPrefix,
        groupPrefix: topicPrefix
      }
      // The first round makes the topics, and does not count.
      for (let round = 0; round <= rounds; round += 1) {
        for (const part of ['gateway', 'runner'] as const) {
          const figures = await startOnce(servers, part, place)
          const measurement = { name: part, round, figures, void: null }
          if (round > 0) measurements.push(measurement)
          if (round > 0) console.log(toLine(measurement))
        }
      }
    } finally {
      await databases.close()
    }
    const summaries = summarise(measurements)
    return { text: toTable(summaries), data: { summaries, measurements }, isVoid: false }
  }
}

async function startOnce(servers: Servers, part: 'gateway' | 'runner', place: Omit<Place, 'port'>) {
  const toCommand = (port: number) => {
    if (part === 'gateway') return toGatewayCommand({ ...place, port })
    const command = toRunnerCommand({ ...place, port })
    // All functions, not the one that is drained.
    return { ...command, env: { ...command.env, FUNCTIONS: '' } }
  }
  const startedMs = performance.now()
  const { pid, stop } = await startService(servers, part, { toCommand, path: '/health/ready' })
  const readyMs = performance.now() - startedMs
  await sleep(REST_MS)
  const figures = { 'ms to ready': readyMs, 'MB at rest': readMemory(pid) / MB }
  await stop()
  return figures
}
