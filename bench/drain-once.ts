import { join } from 'node:path'
import { type Command, launch } from '../stack/launch.ts'
import { openSql } from './databases.ts'
import { readTableBytes } from './disk.ts'
import type { BenchEvent } from './events.ts'
import { type Drained, measureDrain } from './measure-drain.ts'
import { createRowLooks } from './row-looks.ts'
import type { Servers } from './servers.ts'

/** One run of one process. */
export interface DrainRun {
  /** Of its log. */
  readonly name: string
  readonly command: Command
  /** Where it writes. */
  readonly databaseUrl: string
  /** By topic, as the inbox names it: what is in Kafka. */
  readonly topics: ReadonlyMap<string, readonly BenchEvent[]>
  /** See `Drainer`. */
  readonly check?: (command: Command) => Promise<string | null>
}

// Measured from there on: until then all of them compile what they run, a JVM the longest.
const WARM_SHARE = 0.25

const STOP_DEADLINE_MS = 10_000

/** Lets a process drain topics, and ends it. */
export async function drainOnce(
  { site, pids }: Servers,
  { name, command, databaseUrl, topics, check }: DrainRun
): Promise<Drained & { readonly tableBytes: number }> {
  const sql = openSql(databaseUrl)
  try {
    const rows = await createRowLooks(sql, topics, { warmShare: WARM_SHARE })
    const bytesBefore = await readTableBytes(sql)
    const running = launch(
      { ...command, outputFile: join(site.logFolder, `${name}.log`) },
      { name, records: site.records }
    )
    try {
      const drained = await measureDrain(rows, { running, pids })
      const why = drained.void ?? (await check?.(command)) ?? null
      return { ...drained, void: why, tableBytes: ((await readTableBytes(sql)) - bytesBefore) / rows.events }
    } finally {
      await running.end('SIGTERM', STOP_DEADLINE_MS)
    }
  } finally {
    await sql.end()
  }
}
