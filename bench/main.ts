// Measures this project, mostly beside what people would use instead: npm run bench -- <name> [options]
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { alertsBench } from './commands/alerts.ts'
import { chainBench } from './commands/chain.ts'
import { consoleBench } from './commands/console.ts'
import { drainBench } from './commands/drain.ts'
import { growthBench } from './commands/growth.ts'
import { knobsBench } from './commands/knobs.ts'
import { latencyBench } from './commands/latency.ts'
import { metricsBench } from './commands/metrics.ts'
import { outageBench } from './commands/outage.ts'
import { produceBench } from './commands/produce.ts'
import { readBench } from './commands/read.ts'
import { startBench } from './commands/start.ts'
import { startServers } from './servers.ts'
import type { Bench, Report } from './types.ts'

const BENCHES: Readonly<Record<string, Bench>> = {
  drain: drainBench,
  growth: growthBench,
  produce: produceBench,
  chain: chainBench,
  latency: latencyBench,
  read: readBench,
  start: startBench,
  knobs: knobsBench,
  metrics: metricsBench,
  outage: outageBench,
  console: consoleBench,
  alerts: alertsBench
}
const COMMON = {
  rounds: { type: 'string', default: '3' },
  out: { type: 'string', default: join('.smg', 'bench') }
} as const

const [name = '', ...args] = process.argv.slice(2)
const bench = BENCHES[name]
if (!bench) {
  console.error(`say what to measure: npm run bench -- ${Object.keys(BENCHES).join(' | ')}`)
  process.exit(2)
}
const { values } = parseArgs({ args, options: { ...COMMON, ...bench.options } })
const startedAt = new Date().toISOString()
const report = await measure(bench)

console.log(report.text)
mkdirSync(values.out, { recursive: true })
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
writeFileSync(
  join(values.out, `${name}.json`),
  JSON.stringify({ command: name, values, startedAt, machine, ...report.data }, null, 1)
)
if (report.chart !== undefined) writeFileSync(join(values.out, `${name}.svg`), report.chart)
if (report.isVoid) console.error('VOID: not all of it counts.')
if (report.isMissed) console.error('MISSED: not all that was wanted came.')
process.exit(report.isVoid || report.isMissed ? 1 : 0)

async function measure({ run }: Bench): Promise<Report> {
  const servers = await startServers()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void servers.stop().finally(() => process.exit(1)))
  try {
    return await run(servers, values)
  } finally {
    await servers.stop()
  }
}
