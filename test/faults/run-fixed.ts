import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'
import { unmountAll } from './catalogue/disk-faults.ts'
import { catalogue } from './catalogue/index.ts'
import { openMachine } from './machine.ts'
import { parseOptions } from './options.ts'
import { toLine, toViolationTexts } from './report.ts'
import { runPlan, type Servers, startServers, whyNot } from './run.ts'

const EVENTS = '2000'
// Slow enough that a fault of some seconds does not outlast the load.
const RATE = '400'

/** Runs schedules of chosen faults, each with a seed of its own, on servers of their own: one test each. */
export function runFixedSchedules(schedules: readonly { seed: number; faults: readonly string[] }[]) {
  t.setTimeout(900_000)
  t.test('every promise is kept under faults', async t => {
    const options = parseOptions(['--events', EVENTS, '--rate', RATE])
    const machine = await openMachine(resolve(import.meta.dirname, '..', '..'))
    const folder = mkdtempSync(join(tmpdir(), 'faults-'))
    let servers: Servers | null = null
    t.teardown(async () => {
      unmountAll()
      // After a failure too: a client whose server is gone keeps the process.
      await servers?.stop()
      await machine.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    servers = await startServers(machine)

    for (const { seed, faults: names } of schedules) {
      const faults = names.map(name => {
        const fault = catalogue.find(one => one.name === name)
        if (!fault) throw new Error(`no fault is called ${name}`)
        return fault
      })
      const missing = whyNot(faults)
      await t.test(`${names.join(' + ')}, seed ${seed}`, { skip: missing ?? false }, async t => {
        const plan = { name: `ci${seed}`, seed: String(seed), faults }
        const result = await runPlan(plan, { servers, machine, options, folder })
        t.comment(toLine(result))
        t.strictSame(result.notInjected, [], 'every fault was made')
        t.strictSame(toViolationTexts(result.violations), [])
        t.ok(result.acked > 200, `${result.acked} events were acknowledged`)
      })
    }
  })
}
