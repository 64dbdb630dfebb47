// Measures this project beside what people would use instead, in one run: npm run bench -- drain [--events N] [--rounds N]
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { contenders } from './contenders.ts'
import { type DrainResult, drain } from './drain.ts'
import { summarise, toTable } from './report.ts'
import { startServers } from './servers.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: join('.smg', 'bench') }
  }
})
const [command] = positionals
if (command !== 'drain') {
  console.error('say what to measure: npm run bench -- drain')
  process.exit(2)
}

const only = values.only.split(',').filter(Boolean)
const chosen = contenders.filter(({ name }) => only.length === 0 || only.includes(name))
const results: DrainResult[] = []
const servers = await startServers()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void servers.stop().finally(() => process.exit(1)))

try {
  await drain(servers, {
    events: Number(values.events),
    rounds: Number(values.rounds),
    contenders: chosen,
    onResult(result) {
      results.push(result)
      const { contender, round, eventsPerSecond } = result
      console.log(`round ${round}, ${contender}: ${eventsPerSecond.toFixed(0)} events/s${result.void ? ' VOID' : ''}`)
    }
  })
} finally {
  await servers.stop()
}
const summaries = summarise(results, chosen)
console.log(toTable(summaries))
mkdirSync(values.out, { recursive: true })
writeFileSync(join(values.out, 'drain.json'), JSON.stringify({ command, values, summaries, results }, null, 1))
process.exit(results.some(result => result.void !== null) ? 1 : 0)
