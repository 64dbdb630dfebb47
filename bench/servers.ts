import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPart } from '../stack/part.ts'
import { createPortFinder } from '../stack/ports.ts'
import { createProcessRecords } from '../stack/process-records.ts'
import { sendSignal } from '../stack/processes.ts'
import { startKafka, startPostgres } from '../stack/servers.ts'
import type { Site } from '../stack/site.ts'

/** A Kafka and a PostgreSQL of their own, with durable settings, and a folder for a run. */
export interface Servers {
  readonly site: Site
  readonly kafkaBrokers: string
  /** A user that may create databases. */
  readonly databaseUrl: string
  /** The broker's process, and PostgreSQL's first one: another after a crash. */
  readonly pids: { readonly kafka: number; readonly postgres: number }
  /** Ends PostgreSQL as a crash would; gives how to start it again, on the same data and port. */
  crashPostgres(): Promise<() => Promise<void>>
  /** Ends everything that was started on the site, and removes its folder. */
  stop(): Promise<void>
}

// A quarter of the memory that the whole is to run in, as PostgreSQL's manual advises: with the 128 MB of its default, what is
// measured is how it makes room for the pages of the next row. Without a long way to the next checkpoint each minute of
// writing would have one, in another round, and rounds differ by it. And pages go to the disk as they come: else the kernel
// keeps them for 30 s, writes them all at once, and each commit waits behind them (p99 of 15,000 events a second: 71 and 170 ms).
const POSTGRES = [
  'shared_buffers=1GB',
  'max_wal_size=12GB',
  'min_wal_size=7GB',
  'checkpoint_timeout=30min',
  'backend_flush_after=512kB',
  'bgwriter_delay=50ms',
  'bgwriter_lru_maxpages=1000'
]

/** Starts both servers in a new folder. */
export async function startServers(): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), `smg-bench-${process.pid}-`))
  // PostgreSQL runs as another user than root, and has to reach its data.
  chmodSync(folder, 0o755)
  const logFolder = join(folder, 'logs')
  mkdirSync(logFolder)
  const shutdown = new AbortController()
  const records = createProcessRecords(join(folder, 'pids.json'))
  const log = { info: () => undefined, warn: console.warn, error: console.error }
  const site: Site = {
    dataFolder: folder,
    logFolder,
    environment: process.env,
    records,
    findPort: createPortFinder(),
    log,
    shutdown: shutdown.signal
  }
  async function stop() {
    shutdown.abort()
    await records.sweep()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }

  try {
    const options = {
      given: null,
      port: 0,
      toPart: (spec: Parameters<typeof createPart>[0]) => createPart(spec, { log, records, onLine: () => undefined })
    }
    const [kafka, firstPostgres] = await Promise.all([
      startKafka(site, options),
      startPostgres(site, { ...options, settings: POSTGRES })
    ])
    let postgres = firstPostgres
    const port = Number(new URL(postgres.address).port)
    return {
      site,
      kafkaBrokers: kafka.address,
      databaseUrl: postgres.address,
      get pids() {
        return { kafka: kafka.pid() ?? 0, postgres: postgres.pid() ?? 0 }
      },
      async crashPostgres() {
        // Immediate shutdown: no checkpoint, every connection breaks. The stop keeps it from being started again.
        const pid = postgres.pid()
        // To signal 0 is to signal oneself, with one's whole group.
        if (pid === null) throw new Error('PostgreSQL does not run: there is nothing to crash')
        sendSignal(pid, 'SIGQUIT')
        await postgres.stop()
        return async () => {
          // A finder of its own: that of the site gives no port twice.
          const again = { ...site, findPort: createPortFinder() }
          postgres = await startPostgres(again, { ...options, port, settings: POSTGRES })
        }
      },
      async stop() {
        await Promise.all([kafka.stop(), postgres.stop()])
        await stop()
      }
    }
  } catch (error) {
    await stop()
    throw error
  }
}
