// Runs every mutant on a copy of the source tree, under the faults that must show it. Ends with 1 when one escapes, or
// when its patch does not fit any more.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { catalogue } from './catalogue/index.ts'
import { type Machine, openMachine } from './machine.ts'
import { type FaultScenario, type Mutant, mutants } from './mutants.ts'
import { parseOptions } from './options.ts'
import { runPlan, type Servers, startServers } from './run.ts'

interface Verdict {
  readonly mutant: Mutant
  readonly state: 'caught' | 'escaped' | 'broken'
  readonly by: string
  readonly seconds: number
}

const ROOT = resolve(import.meta.dirname, '..', '..')
const EVENTS = 2_000
// A schedule that does not meet the moment shows nothing: the next one may.
const SEEDS = [1, 2, 3, 4, 5, 6]
const DRAIN_TIMEOUT_MS = 30_000
const TEST_TIMEOUT_MS = 180_000
const TEST_GRACE_MS = 10_000

const { values } = parseArgs({ options: { only: { type: 'string', default: '' }, seeds: { type: 'string' } } })
const only = values.only.split(',').filter(Boolean)
const seeds = values.seeds?.split(',').map(Number) ?? SEEDS
const machine = await openMachine(ROOT)
process.on('uncaughtException', async error => {
  console.error(error)
  await machine.stop()
  process.exit(1)
})
const verdicts: Verdict[] = []
try {
  const servers = await startServers(machine)
  for (const mutant of mutants) {
    if (only.length > 0 && !only.includes(String(mutant.number))) continue
    const startedMs = Date.now()
    const verdict = await judge(mutant, servers)
    verdicts.push({ mutant, ...verdict, seconds: (Date.now() - startedMs) / 1000 })
    console.log(toLine(verdicts.at(-1) as Verdict))
  }
  await servers.stop()
} finally {
  await machine.stop()
}
const count = (state: Verdict['state']) => verdicts.filter(verdict => verdict.state === state).length
console.log(
  `\n${verdicts.length} mutants: ${count('caught')} caught, ${count('escaped')} escaped, ${count('broken')} broken`
)
process.exit(count('escaped') + count('broken') > 0 ? 1 : 0)

async function judge(mutant: Mutant, servers: Servers): Promise<Pick<Verdict, 'state' | 'by'>> {
  const root = join(machine.dataFolder, `mutant-${mutant.number}`)
  copyTree(root)
  try {
    const flaw = applyPatches(root, mutant)
    if (flaw) return { state: 'broken', by: flaw }
    if ('test' in mutant.scenario) return await judgeByTest(root, mutant.scenario.test)
    return await judgeByFaults({ ...machine, root }, servers, mutant.scenario)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function judgeByFaults(
  mutated: Machine,
  servers: Servers,
  scenario: FaultScenario
): Promise<Pick<Verdict, 'state' | 'by'>> {
  const faults = scenario.faults.map(name => {
    const fault = catalogue.find(one => one.name === name)
    if (!fault) throw new Error(`no fault is called ${name}`)
    return fault
  })
  for (const seed of seeds) {
    const options = {
      ...parseOptions(['--events', String(scenario.events ?? EVENTS)]),
      useIdempotencyKeys: scenario.useIdempotencyKeys ?? false,
      drainTimeoutMs: DRAIN_TIMEOUT_MS
    }
    const folder = join(machine.dataFolder, 'mutants')
    mkdirSync(folder, { recursive: true })
    const plan = { name: `m${seed}`, seed: String(seed), faults }
    try {
      const { violations } = await runPlan(plan, { servers, machine: mutated, options, folder })
      // What it did to events tells more than what it did to a health check.
      const [first] = violations.toSorted((a, b) => (a.invariant < b.invariant ? -1 : 1))
      if (first) return { state: 'caught', by: `${first.invariant} ${first.anomaly}: ${first.text}` }
    } catch (error) {
      // Nothing was judged: who knows whether the mutant is to blame.
      return { state: 'broken', by: `the schedule failed: ${(error as Error).message}` }
    }
  }
  return { state: 'escaped', by: `${seeds.length} schedules found nothing` }
}

async function judgeByTest(root: string, test: string): Promise<Pick<Verdict, 'state' | 'by'>> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, test)], {
    cwd: root,
    // A file that is run without tap starts servers of its own.
    env: { ...process.env, TAP_TIMEOUT: String(TEST_TIMEOUT_MS / 1000) },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  child.stderr.resume()
  const timer = setTimeout(() => child.kill('SIGKILL'), TEST_TIMEOUT_MS + TEST_GRACE_MS)
  const code = await new Promise<number | null>(done => child.once('close', done))
  clearTimeout(timer)
  const [, failed = ''] = /^\s*not ok \d+ - (.*?)(?: #.*)?$/m.exec(output) ?? []
  if (code === 0) return { state: 'escaped', by: `${test} passes` }
  // It ended before it could judge anything: the patch, or the machine, is wrong.
  if (failed === '' || failed.startsWith('timeout!')) return { state: 'broken', by: `${test} did not come to an end` }
  return { state: 'caught', by: `${test}: ${failed}` }
}

function copyTree(root: string) {
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
  // A linked node_modules is no folder to git.
  const files = listed.split('\n').filter(file => file && file !== 'node_modules')
  for (const file of files) cpSync(join(ROOT, file), join(root, file))
  symlinkSync(realpathSync(join(ROOT, 'node_modules')), join(root, 'node_modules'))
}

/** Gives what is wrong with a patch, or null when all were applied. */
function applyPatches(root: string, { patches }: Mutant): string | null {
  for (const { file, find, replace } of patches) {
    const text = readFileSync(join(root, file), 'utf8')
    const places = text.split(find).length - 1
    if (places !== 1) return `${file} has ${places} times: ${find.slice(0, 80)}`
    writeFileSync(
      join(root, file),
      text.replace(find, () => replace)
    )
  }
  return null
}

function toLine({ mutant, state, by, seconds }: Verdict): string {
  const { number, variant, title } = mutant
  const name = variant ? `${number} (${variant})` : String(number)
  return `${state.toUpperCase().padEnd(9)} ${name}: ${title}${by ? `\n          ${by.slice(0, 300)}` : ''} [${seconds.toFixed(0)} s]`
}
