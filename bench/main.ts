// Measures this project, mostly beside what people would use instead: npm run bench -- <name> [options] [+ <name> [options]]…
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
import type { Bench, Report, Values } from './types.ts'

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

interface Written {
  readonly command: string
  readonly values: Values & { readonly out: string }
  readonly startedAt: string
}

const wanted = partAt('+', process.argv.slice(2)).map(parse)
const reports = await measure()
process.exit(reports.some(({ isVoid, isMissed }) => isVoid || isMissed) ? 1 : 0)

function parse([name = '', ...args]: readonly string[]) {
  const bench = BENCHES[name]
  if (!bench) {
    console.error(`say what to measure: npm run bench -- ${Object.keys(BENCHES).join(' | ')}`)
    process.exit(2)
  }
  const { values } = parseArgs({ args, options: { ...COMMON, ...bench.options } })
  return { name, bench, values }
}

/** Measures one after the other, on the same servers. */
async function measure(): Promise<Report[]> {
  const servers = await startServers()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void servers.stop().finally(() => process.exit(1)))
  const reports: Report[] = []
  try {
    for (const { name, bench, values } of wanted) {
      const startedAt = new Date().toISOString()
      const report = await bench.run(servers, values)
      write(report, { command: name, values, startedAt })
      reports.push(report)
    }
    return reports
  } finally {
    await servers.stop()
  }
}

function write({ text, data, chart, isVoid, isMissed }: Report, { command, values, startedAt }: Written) {
  console.log(text)
  if (isVoid) console.error('VOID: not all of it counts.')
  if (isMissed) console.error('MISSED: not all that was wanted came.')
  mkdirSync(values.out, { recursive: true })
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
  writeFileSync(
    join(values.out, `${command}.json`),
    JSON.stringify({ command, values, startedAt, machine, ...data }, null, 1)
  )
  if (chart !== undefined) writeFileSync(join(values.out, `${command}.svg`), chart)
}

function partAt(separator: string, words: readonly string[]): string[][] {
  const parts: string[][] = [[]]
  for (const word of words) {
    if (word === separator) parts.push([])
    else parts.at(-1)?.push(word)
  }
  return parts
}
