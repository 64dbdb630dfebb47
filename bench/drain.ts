import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { launch } from '../stack/launch.ts'
import type { Contender } from './contenders.ts'
import { readCpu, readMemory } from './cpu.ts'
import { openDatabases, openSql } from './databases.ts'
import { type BenchEvent, fillTopic, makeEvents } from './events.ts'
import type { Servers } from './servers.ts'

/** What one contender did in one round. */
export interface DrainResult {
  readonly contender: string
  readonly round: number
  readonly eventsPerSecond: number
  /** CPU microseconds an event, of each side. */
  readonly cpu: { readonly self: number; readonly postgres: number; readonly kafka: number }
  readonly maxMemoryBytes: number
  /** Why the run does not count; null when every event is there once. */
  readonly void: string | null
}

export interface DrainOptions {
  readonly events: number
  readonly rounds: number
  readonly contenders: readonly Contender[]
  readonly onResult: (result: DrainResult) => void
}

const POLL_MS = 50
const TIMEOUT_MS = 600_000
const STOP_DEADLINE_MS = 10_000

/**
 * Lets contenders drain the same topic into databases of their own, in turn. Measured is from the first row that is
 * visible to the last one, so that the start of a process is not: the rows of the first look are not counted.
 */
export async function drain(servers: Servers, options: DrainOptions): Promise<void> {
  const { site, kafkaBrokers, databaseUrl } = servers
  const events = makeEvents(options.events)
  const topicPrefix = `b${randomBytes(4).toString('hex')}.`
  const eventsFile = join(site.dataFolder, 'events.json')
  writeFileSync(eventsFile, JSON.stringify(events))
  await fillTopic(kafkaBrokers, `${topicPrefix}user-activities`, events)

  const databases = await openDatabases(databaseUrl)
  try {
    // The first round warms the servers, and does not count.
    for (let round = 0; round <= options.rounds; round += 1) {
      for (const contender of options.contenders) {
        const result = await runOnce(contender, round)
        if (round > 0) options.onResult(result)
      }
    }
  } finally {
    await databases.close()
  }

  async function runOnce(contender: Contender, round: number): Promise<DrainResult> {
    const name = `bench_${contender.name.replaceAll('-', '_')}_${round}`
    const url = await databases.create(name)
    const command = await contender.toCommand({
      ...{ site, folder: join(site.dataFolder, name) },
      ...{ kafkaBrokers, databaseUrl: url, topicPrefix, eventsFile, port: await site.findPort(0) },
      groupPrefix: `${topicPrefix}${round}.`
    })
    const sql = openSql(url)
    const outputFile = join(site.logFolder, `${contender.name}-${round}.log`)
    const running = launch({ ...command, outputFile }, { name: contender.name, records: site.records })
    try {
      const measured = await measure(sql, running.pid ?? 0)
      return { contender: contender.name, round, ...measured, void: await check(sql, events) }
    } finally {
      await running.end('SIGTERM', STOP_DEADLINE_MS)
      await sql.end()
      await databases.drop(name)
    }
  }

  async function measure(sql: Sql, pid: number) {
    const cpuOf = () => ({
      self: readCpu(pid),
      postgres: readCpu(servers.pids.postgres),
      kafka: readCpu(servers.pids.kafka)
    })
    const untilMs = performance.now() + TIMEOUT_MS
    const wait = async () => {
      await sleep(POLL_MS)
      if (performance.now() > untilMs) throw new Error(`not drained after ${TIMEOUT_MS / 1000} s`)
    }
    while (!(await hasRows(sql))) await wait()
    const [before, startedMs] = [cpuOf(), performance.now()]
    const rows = await countRows(sql)
    const counted = events.length - (rows.messages + rows.activities) / 2
    let maxMemoryBytes = 0
    while (!(await isDone(sql, events))) {
      maxMemoryBytes = Math.max(maxMemoryBytes, readMemory(pid))
      await wait()
    }
    const [after, tookMs] = [cpuOf(), performance.now() - startedMs]
    const cpu = {
      self: (after.self - before.self) / counted,
      postgres: (after.postgres - before.postgres) / counted,
      kafka: (after.kafka - before.kafka) / counted
    }
    return { eventsPerSecond: (counted / tookMs) * 1000, cpu, maxMemoryBytes }
  }
}

/** Whether both tables have rows: who writes them apart has two starts, and neither is measured. */
async function hasRows(sql: Sql): Promise<boolean> {
  const [row] = await sql`
    SELECT EXISTS (SELECT FROM messages) AND EXISTS (SELECT FROM user_activities) AS started`
  return row?.started === true
}

async function countRows(sql: Sql): Promise<{ messages: number; activities: number }> {
  const [row] = await sql`
    SELECT (SELECT count(*) FROM messages)::int AS messages, (SELECT count(*) FROM user_activities)::int AS activities`
  return { messages: Number(row?.messages), activities: Number(row?.activities) }
}

/** Whether the last events of all partitions are there: cheap to ask, and each contender keeps the order of a partition. */
async function isDone(sql: Sql, events: readonly BenchEvent[]): Promise<boolean> {
  const last = [...new Map(events.map(({ partition, id }) => [partition, id])).values()]
  const [row] = await sql`
    SELECT (SELECT count(*) FROM user_activities WHERE id IN ${sql(last)})::int AS activities,
      (SELECT count(*) FROM messages WHERE topic = 'user-activities' AND id IN ${sql(last)})::int AS messages`
  if (row?.activities !== last.length || row.messages !== last.length) return false
  const rows = await countRows(sql)
  return rows.messages === events.length && rows.activities === events.length
}

async function check(sql: Sql, events: readonly BenchEvent[]): Promise<string | null> {
  const [row] = await sql`
    SELECT (SELECT count(*) FROM messages)::int AS messages, (SELECT count(*) FROM user_activities)::int AS activities,
      (SELECT count(*) FROM messages JOIN user_activities USING (id) WHERE topic = 'user-activities')::int AS both`
  const isWhole = [row?.messages, row?.activities, row?.both].every(count => count === events.length)
  return isWhole ? null : `${JSON.stringify(row)} of ${events.length}`
}
