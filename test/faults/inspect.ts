import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { System } from './system.ts'

const MEMORY_LIMIT_MB = 700
/** Of one process: a runner has two for reads, twice four for transactions, and two for redrives. */
const CONNECTION_LIMIT = 12

/** Asks everyone how they are, now that all is well. */
export async function inspect(system: System): Promise<void> {
  for (const { name, process } of [...system.gateways, ...system.runners]) {
    const megabytes = residentMegabytes(process.pid())
    if (megabytes > MEMORY_LIMIT_MB) system.blame('I8', `${name} needs ${megabytes} MB`)
  }
  const [row] = await system.database.sql`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = ${system.database.name} AND application_name LIKE 'smg-%'`
  const members = system.gateways.length + system.runners.length
  if ((row?.count ?? 0) > members * CONNECTION_LIMIT)
    system.blame('I8', `${row?.count} connections to PostgreSQL are open`)

  for (const { name, url } of system.gateways) {
    const health = (await ask(`${url}/health`)) as { status?: string; checks?: object } | null
    if (health?.status !== 'ok') system.blame('I9', `${name} says ${JSON.stringify(health)} when all is well`)
    const topics = (await ask(`${url}/api/topics`)) as { items?: { topic: string; lag: number }[] } | null
    for (const { topic, lag } of topics?.items ?? []) {
      if (Number(lag) !== 0) system.blame('I9', `${name} says that ${topic} has a lag of ${lag}, and it has none`)
    }
  }
  for (const { name, url } of system.runners) {
    const health = (await ask(`${url}/health`)) as { status?: string } | null
    if (health?.status !== 'ok') system.blame('I9', `${name} says ${JSON.stringify(health)} when all is well`)
  }
}

function residentMegabytes(pid: number | null): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Math.round(Number(kilobytes ?? 0) / 1024)
  } catch {
    return 0
  }
}

/** Asks again for some seconds: what is well may need a moment to be seen. */
async function ask(url: string): Promise<unknown> {
  let body: unknown = null
  for (let left = 30; left > 0; left -= 1) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) }).catch(() => null)
    body = (await answer?.json().catch(() => null)) ?? null
    if (isWell(body)) return body
    await sleep(500)
  }
  return body
}

function isWell(body: unknown): boolean {
  const { status, items } = (body ?? {}) as { status?: string; items?: readonly { lag?: number }[] }
  return status === 'ok' || (items?.every(({ lag }) => Number(lag) === 0) ?? false)
}
