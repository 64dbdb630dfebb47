import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { createPart, type Part, type PartSpec } from '../../../stack/part.ts'
import { createPortFinder } from '../../../stack/ports.ts'
import { createProcessRecords } from '../../../stack/process-records.ts'
import { startKafka, startPostgres } from '../../../stack/servers.ts'
import { findRecordsFile, testStack } from '../../_support/stack.ts'

/** A server of the test's own. */
export interface OwnServer {
  stop(): Promise<void>
  /** At its old address, with its old data. */
  start(): Promise<void>
}

const nobody = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Starts a Kafka and a PostgreSQL that may be ended: from here on this process takes them for those of the run. */
export async function startOwnServers(t: Test): Promise<{ readonly kafka: OwnServer; readonly postgres: OwnServer }> {
  // So that there is a keeper, which ends what is recorded and removes what is beside it.
  testStack()
  const recordsFile = findRecordsFile()
  const folder = mkdtempSync(join(recordsFile ? dirname(dirname(recordsFile)) : tmpdir(), 'browser-'))
  // PostgreSQL's user must reach it when the test runs as root.
  chmodSync(folder, 0o755)
  const logFolder = join(folder, 'logs')
  mkdirSync(logFolder)
  const records = createProcessRecords(recordsFile ?? join(folder, 'started.json'))
  const site = {
    dataFolder: folder,
    logFolder,
    environment: process.env,
    records,
    findPort: createPortFinder(),
    log: nobody,
    shutdown: new AbortController().signal
  }
  const [kafka, postgres] = [createOwn(), createOwn()]
  t.teardown(async () => {
    await Promise.all([kafka.server.stop(), postgres.server.stop()])
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })

  const [{ address: brokers }, { address: databaseUrl }] = await Promise.all([
    startKafka(site, { given: null, port: 0, toPart: kafka.toPart }),
    startPostgres(site, {
      given: null,
      port: 0,
      toPart: postgres.toPart,
      settings: ['fsync=off', 'max_connections=200']
    })
  ])
  process.env.TEST_KAFKA_BROKERS = brokers
  process.env.TEST_DATABASE_URL = databaseUrl
  return { kafka: kafka.server, postgres: postgres.server }

  /** A part that was stopped is over: each start makes a new one, of the same specification. */
  function createOwn() {
    let spec: PartSpec | null = null
    let part: Part | null = null
    const toPart = (given: PartSpec) => {
      spec = given
      part = createPart(given, { log: nobody, records, onLine: () => undefined })
      return part
    }
    const server: OwnServer = {
      stop: async () => part?.stop(),
      start: async () => {
        if (spec) await toPart(spec).start()
      }
    }
    return { toPart, server }
  }
}
