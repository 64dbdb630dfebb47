import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type Exit, launch } from '../../stack/launch.ts'
import { toNodeCommand } from '../../stack/node-part.ts'
import { createPortFinder } from '../../stack/ports.ts'
import { createProcessRecords, readRecords } from '../../stack/process-records.ts'
import { sendSignal } from '../../stack/processes.ts'
import type { StackState } from '../../stack/state-file.ts'
import { findRecordsFile, testStack } from '../_support/stack.ts'

/** One `npm start`. */
export interface StartedStack {
  output(): string
  signal(signal: NodeJS.Signals): void
  readonly ended: Promise<Exit>
  /** Waits until `holds` gives true; throws when the stack ends before, or after two minutes. */
  until(holds: () => boolean | Promise<boolean>): Promise<void>
  untilReady(): Promise<void>
}

const ROOT = join(import.meta.dirname, '..', '..')
const FUNCTION = `import { defineFunction, Type } from 'smg-kafka'
export default defineFunction({ event: Type.Object({ name: Type.String() }) })
`

/** Prepares a data folder, ports and a folder of functions for stacks; all is gone with the test, also when it is killed. */
export async function prepareStack(t: Test) {
  // So that there is a keeper, which ends what is recorded and removes what is beside it; none without one of its servers.
  testStack()
  const recordsFile = findRecordsFile()
  const folder = mkdtempSync(join(recordsFile ? dirname(dirname(recordsFile)) : tmpdir(), 'npm-start-'))
  // PostgreSQL's user must reach it when the test runs as root.
  chmodSync(folder, 0o755)
  const dataFolder = join(folder, 'data')
  const records = createProcessRecords(recordsFile ?? join(folder, 'started.json'))
  const findPort = createPortFinder()
  const environment = {
    ...process.env,
    SMG_DATA_DIR: dataFolder,
    PORT: String(await findPort(0)),
    RUNNER_PORT: String(await findPort(0)),
    KAFKA_PORT: String(await findPort(0)),
    POSTGRES_PORT: String(await findPort(0)),
    // A runner that is killed keeps its partitions for this long.
    CONSUMER_SESSION_TIMEOUT_MS: '6000',
    TELEMETRY_INTERVAL_MS: '0',
    LOG_LEVEL: 'info',
    // Inside of the checkout: a function file imports the package by its name.
    FUNCTIONS_DIR: t.testdir({ 'greetings.ts': FUNCTION })
  }
  t.teardown(async () => {
    await records.sweep()
    await createProcessRecords(join(dataFolder, 'pids.json')).sweep()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })

  return {
    dataFolder,
    environment,
    functions: environment.FUNCTIONS_DIR,
    state: (): StackState => JSON.parse(readFileSync(join(dataFolder, 'stack.json'), 'utf8')),
    recorded: () => readRecords(join(dataFolder, 'pids.json')).map(({ pid }) => pid),

    start(overrides: NodeJS.ProcessEnv = {}): StartedStack {
      const lines: string[] = []
      const command = toNodeCommand('stack/main.ts', ROOT, { ...environment, ...overrides })
      const running = launch(command, { name: 'npm start', records, onLine: line => void lines.push(line) })
      let exit: Exit | null = null
      void running.ended.then(end => {
        exit = end
      })
      const output = () => lines.join('\n')
      const until = async (holds: () => boolean | Promise<boolean>) => {
        for (const deadline = Date.now() + 120_000; !(await holds()); await sleep(25))
          if (exit !== null || Date.now() > deadline)
            throw new Error(`did not come true: ${holds}\n${output().slice(-6_000)}`)
      }
      return {
        output,
        signal: signal => void sendSignal(running.pid ?? 0, signal),
        ended: running.ended,
        until,
        untilReady: () => until(() => output().includes('"msg":"ready after'))
      }
    }
  }
}

/** The status that a URL answers; 0 when nobody does. */
export async function statusOf(url: string): Promise<number> {
  try {
    return (await fetch(url)).status
  } catch {
    return 0
  }
}
