import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { findRunState, processFolderOf, type RunState, runFolderOf } from './run-state.ts'

/** The servers that the tests of one run share. */
export interface TestStack {
  /** `host:port`, with commas if there are several. */
  readonly kafkaBrokers: string
  /** Of a user that may create databases. */
  readonly databaseUrl: string
}

/**
 * Gives the run's Kafka and PostgreSQL. Under tap the `--before` script has started them; a test file that is run by hand
 * starts its own here, which takes some seconds, and they end with it. TEST_KAFKA_BROKERS and TEST_DATABASE_URL come first.
 */
export function testStack(): TestStack {
  const { TEST_KAFKA_BROKERS, TEST_DATABASE_URL } = process.env
  if (TEST_KAFKA_BROKERS && TEST_DATABASE_URL)
    return { kafkaBrokers: TEST_KAFKA_BROKERS, databaseUrl: TEST_DATABASE_URL }

  const { error, kafkaBrokers, databaseUrl } = findRun()?.state ?? startRun()
  if (error !== null) throw new Error(`no test servers: ${error}`)
  return { kafkaBrokers, databaseUrl }
}

let recordsFiles = 0

/** Gives a new file for the records of what this test starts; the keeper ends it when this process is gone. Null without one. */
export function findRecordsFile(): string | null {
  const run = findRun()
  if (!run) return null
  recordsFiles += 1
  return join(processFolderOf(runFolderOf(run.state.owner.pid)), `${process.pid}-${recordsFiles}.json`)
}

function findRun(): { readonly state: RunState } | null {
  const state = findRunState(process.ppid) ?? findRunState(process.pid)
  return state && { state }
}

function startRun(): RunState {
  const script = join(import.meta.dirname, 'before.ts')
  const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, SMG_TEST_OWNER: String(process.pid) },
    encoding: 'utf8'
  })
  const run = findRun()
  if (!run) throw new Error(`no test servers:\n${stdout}`)
  return run.state
}
