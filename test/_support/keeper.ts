// Keeps the Kafka and the PostgreSQL of one run of tests: a process of its own, so that they outlive the `--before` script
// and do not outlive the run, however that ends. Argument: the pid of the run's owner.
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createOutput } from '../../stack/output.ts'
import { createPart, type Part, type PartSpec } from '../../stack/part.ts'
import { createPortFinder } from '../../stack/ports.ts'
import { createProcessRecords } from '../../stack/process-records.ts'
import { findStartTime, isAlive, ownIdentity } from '../../stack/processes.ts'
import { startKafka, startPostgres } from '../../stack/servers.ts'
import type { Site } from '../../stack/site.ts'
import { startTestContainers, whyNoEngine } from './containers.ts'
import { listRunFolders, processFolderOf, readState, runFolderOf, writeState } from './run-state.ts'

const POLL_MS = 250
// No test loses power; each file may start a gateway and runners with pools of their own.
const SETTINGS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=400']

const ownerPid = Number(process.argv[2])
const owner = { pid: ownerPid, startTime: findStartTime(ownerPid) ?? '' }
const runFolder = runFolderOf(ownerPid)
let isEnding = false
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => (isEnding = true))

await sweepRuns()
mkdirSync(runFolder, { recursive: true, mode: 0o755 })
const shutdown = new AbortController()
const stops: (() => Promise<void>)[] = []
const records = createProcessRecords(join(runFolder, 'pids.json'))

const identity = { owner, keeper: ownIdentity() }
// At once: should this process be killed now, the next keeper finds by it what to end.
writeState(runFolder, { ...identity, ...nothing(), isSettled: false })
const starting = start()
  .catch(error => ({ ...nothing(), error: error instanceof Error ? error.message : String(error) }))
  .then(state => writeState(runFolder, { ...identity, ...state, isSettled: true }))

while (!isEnding && isAlive(owner)) {
  await sweepTestFiles()
  await sleep(POLL_MS)
}
shutdown.abort()
await sweepTestFiles({ all: true })
await starting
await Promise.all(stops.map(stop => stop().catch(error => console.error(error))))
await records.sweep()
rmSync(runFolder, { recursive: true, force: true, maxRetries: 3 })
process.exit(0)

async function start() {
  const { TEST_KAFKA_BROKERS = null, TEST_DATABASE_URL = null, TEST_CONTAINERS } = process.env
  const notes: string[] = []

  if (TEST_CONTAINERS === '1') {
    const missing = await whyNoEngine()
    if (missing === null) {
      const { stop, ...addresses } = await startTestContainers()
      stops.push(stop)
      return { ...nothing(), ...addresses }
    }
    notes.push(`SKIP TEST_CONTAINERS=1: no container engine (${missing}); the tests run on embedded servers`)
  }

  const logFolder = join(runFolder, 'logs')
  const { log, onLine } = createOutput({ write: text => process.stdout.write(text), isTerminal: false, logFolder })
  const findPort = createPortFinder()
  const environment = process.env
  const site: Site = {
    dataFolder: runFolder,
    logFolder,
    environment,
    records,
    findPort,
    log,
    shutdown: shutdown.signal
  }
  const toPart = (spec: PartSpec): Part => {
    const part = createPart(spec, { log, records, onLine })
    stops.push(() => part.stop())
    return part
  }
  const [kafka, postgres] = await Promise.all([
    startKafka(site, { given: TEST_KAFKA_BROKERS, port: 0, toPart }),
    startPostgres(site, { given: TEST_DATABASE_URL, port: 0, toPart, settings: SETTINGS })
  ])
  return { ...nothing(), kafkaBrokers: kafka.address, databaseUrl: postgres.address, notes }
}

function nothing() {
  return { kafkaBrokers: '', databaseUrl: '', error: null, notes: [] as string[] }
}

/** Ends what test files started that are gone themselves: killed, crashed, or timed out. */
async function sweepTestFiles({ all = false } = {}) {
  const folder = processFolderOf(runFolder)
  for (const name of readdirSync(folder)) {
    const [pid] = name.split('-')
    if (!name.endsWith('.json') || (!all && findStartTime(Number(pid)) !== null)) continue
    await createProcessRecords(join(folder, name)).sweep()
  }
}

/** Ends what is left of runs whose owner and keeper were both killed. */
async function sweepRuns() {
  for (const folder of listRunFolders()) {
    const state = readState(folder)
    if (!state || isAlive(state.owner) || isAlive(state.keeper)) continue
    for (const file of readdirSync(processFolderOf(folder)))
      await createProcessRecords(join(folder, 'processes', file)).sweep()
    await createProcessRecords(join(folder, 'pids.json')).sweep()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
