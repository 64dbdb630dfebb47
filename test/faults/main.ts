// Runs schedules of faults and prints what they came to. Ends with 1 when a promise was broken, or a fault could not be made.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { unmountAll } from './catalogue/disk-faults.ts'
import { openMachine } from './machine.ts'
import { parseOptions } from './options.ts'
import { toLine, toMeasureTexts, toTable, toViolationTexts } from './report.ts'
import { planSchedules, runPlan, startServers, whyNot } from './run.ts'
import { NotBegunError, type ScheduleResult } from './schedule.ts'

const options = parseOptions(process.argv.slice(2))
const plans = planSchedules(options)
const machine = await openMachine(resolve(import.meta.dirname, '..', '..'))
const keepFolder = resolve(options.keepFolder ?? `${machine.dataFolder}.kept`)
mkdirSync(keepFolder, { recursive: true })
// Nothing may outlive a mistake of ours.
process.on('uncaughtException', async error => {
  console.error(error)
  unmountAll()
  await machine.stop()
  // What was being started again meanwhile.
  await machine.stop()
  process.exit(1)
})
const results: ScheduleResult[] = []
const MAX_STARTS = 3
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (isStopping = true))

try {
  const servers = await startServers(machine)
  for (const [index, plan] of plans.entries()) {
    if (isStopping) break
    const missing = whyNot(plan.faults)
    if (missing) {
      console.log(`${index + 1}/${plans.length} ${plan.name} SKIP ${missing}`)
      continue
    }
    const variants = options.isNaive ? [false, true] : [false]
    for (const isNaive of variants) {
      const result = await runAgain(() =>
        runPlan(plan, { servers, machine, options: { ...options, isNaive }, folder: keepFolder })
      )
      if (!isNaive) results.push(result)
      console.log(`${index + 1}/${plans.length} ${isNaive ? 'NAIVE ' : ''}${toLine(result)}`)
      for (const text of toMeasureTexts(result)) console.log(text)
      if (!isNaive) for (const text of toViolationTexts(result.violations)) console.log(text)
    }
  }
  await servers.stop()
} finally {
  unmountAll()
  await machine.stop()
}
console.log(toTable(results))
writeFileSync(join(keepFolder, 'results.json'), JSON.stringify(results, null, 1))
process.exit(
  results.some(({ violations, notInjected }) => violations.length + notInjected.length > 0) || isStopping ? 1 : 0
)

/** A schedule that cannot begin, for somebody took a port, says nothing of any promise: it begins anew. */
async function runAgain(run: () => Promise<ScheduleResult>): Promise<ScheduleResult> {
  for (let starts = 1; ; starts += 1) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof NotBegunError) || starts === MAX_STARTS) throw error
      console.log(`not begun: ${error.message}`)
    }
  }
}
