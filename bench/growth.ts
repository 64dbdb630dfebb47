import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Databases, openDatabases, openSql } from './databases.ts'
import { readLogBytes } from './disk.ts'
import { drainOnce } from './drain-once.ts'
import type { DrainResult } from './drain-report.ts'
import { type BenchEvent, fillTopic, makeEvents } from './events.ts'
import { fillTables } from './fill-tables.ts'
import type { Point } from './growth-points.ts'
import type { Servers } from './servers.ts'
import { DIST, toRunnerCommand } from './services.ts'
import { deleteTopics } from './topics.ts'

export interface GrowthOptions {
  readonly points: readonly Point[]
  readonly rounds: number
  /** No round before the first warms the servers: for a look at whether it works. */
  readonly isCold: boolean
  readonly onResult: (result: DrainResult) => void
}

const PROGRESS_ROWS = 1_000_000

/** Lets our runner drain under each condition in turn, in every round new events of new topics. */
export async function growth(servers: Servers, { points, rounds, isCold, onResult }: GrowthOptions): Promise<void> {
  const databases = await openDatabases(servers.databaseUrl)
  const run = `b${randomBytes(4).toString('hex')}`
  const filled = new Map<number, Filled>()
  try {
    for (const { rows } of points)
      if (rows > 0 && !filled.has(rows)) filled.set(rows, await fillDatabase(databases, rows))
    // Round 0 warms the servers, and does not count.
    for (let round = isCold ? 1 : 0; round <= rounds; round += 1) {
      for (const [index, point] of points.entries()) {
        const result = await runOnce(point, { round, prefix: `${run}.${index}.${round}.` })
        if (round > 0 || result.void !== null) onResult(result)
      }
    }
  } finally {
    await databases.close()
  }

  async function runOnce(
    point: Point,
    { round, prefix }: { readonly round: number; readonly prefix: string }
  ): Promise<DrainResult> {
    const { kafkaBrokers, site } = servers
    const topics = toTopics(point)
    const kafkaTopics = [...topics.keys()].map(topic => `${prefix}${topic}`)
    for (const [topic, events] of topics) await fillTopic(kafkaBrokers, `${prefix}${topic}`, events, point.partitions)
    const logBytes = kafkaTopics.reduce((sum, topic) => sum + readLogBytes(servers, topic), 0)
    const functionsFolder = join(site.dataFolder, `functions-${prefix}`)
    writeFunctions(functionsFolder, [...topics.keys()])

    const full = filled.get(point.rows)
    const fresh = `bench_${prefix.replaceAll('.', '_')}`
    const databaseUrl = full?.url ?? (await databases.create(fresh))
    if (full) await tidy(full, point.rows)
    const place = { kafkaBrokers, databaseUrl, topicPrefix: prefix, groupPrefix: prefix, port: await site.findPort(0) }
    const { tableBytes, ...drained } = await drainOnce(servers, {
      ...{ name: `growth-${prefix}`, databaseUrl, topics },
      command: toRunnerCommand(place, { functionsFolder })
    })
    await deleteTopics(kafkaBrokers, kafkaTopics)
    if (!full) await databases.drop(fresh)
    return { name: point.name, round, ...drained, diskBytes: { postgres: tableBytes, kafka: logBytes / point.events } }
  }
}

function toTopics({ events, functions, partitions, bytes }: Point): Map<string, readonly BenchEvent[]> {
  const names = Array.from({ length: functions }, (_, index) => toTopic(index))
  return new Map(names.map(name => [name, makeEvents(Math.ceil(events / functions), { partitions, bytes })]))
}

/** The rows that are there already are of the first. */
function toTopic(index: number): string {
  return `user-activities-${index + 1}`
}

/** Functions of their own names, all of them the one that ships. */
function writeFunctions(folder: string, topics: readonly string[]) {
  const shipped = pathToFileURL(join(DIST, 'functions', 'user-activities.js')).href
  mkdirSync(folder)
  for (const topic of topics) writeFileSync(join(folder, `${topic}.mjs`), `export { default } from '${shipped}'\n`)
}

/** A database with rows of an hour ago and before. */
interface Filled {
  readonly url: string
  /** Before it was filled: what came later is of runs. */
  readonly at: Date
}

async function fillDatabase(databases: Databases, rows: number): Promise<Filled> {
  const url = await databases.create(`bench_rows_${rows}`)
  const sql = openSql(url)
  const startedMs = performance.now()
  const at = new Date()
  try {
    await fillTables(sql, {
      ...{ rows, topic: toTopic(0) },
      onProgress(done) {
        if (done % PROGRESS_ROWS === 0 && rows > PROGRESS_ROWS)
          console.log(`filling: ${done / 1e6} of ${rows / 1e6} million rows after ${toSeconds(startedMs)} s`)
      }
    })
  } finally {
    await sql.end()
  }
  console.log(`filled both tables with ${rows} rows in ${toSeconds(startedMs)} s`)
  return { url, at }
}

/** Takes away what a run left behind: its rows, positions of its groups, statistics, dirty pages. */
async function tidy({ url, at }: Filled, rows: number): Promise<void> {
  const sql = openSql(url)
  try {
    await sql`TRUNCATE topic_status, function_states`
    await sql`DELETE FROM messages WHERE received_at >= ${at}`
    await sql`DELETE FROM user_activities WHERE received_at >= ${at}`
    await sql`VACUUM (ANALYZE) messages, user_activities`
    await sql`CHECKPOINT`
    const [left] = await sql`SELECT count(*)::int AS count FROM messages`
    if (left?.count !== rows) throw new Error(`${left?.count} rows are there before a run, and not ${rows}`)
  } finally {
    await sql.end()
  }
}

function toSeconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(0)
}
