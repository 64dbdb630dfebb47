import type { Chain } from './start-chain.ts'

/** What was told of an alert. */
interface Notice {
  readonly name: string
  readonly event: 'fired' | 'cleared'
  /** By the clock of the database, epoch in milliseconds: when it was seen, also by a gateway that could not write it then. */
  readonly atMs: number
}

type Place = Pick<Chain, 'sql'>

/** The clock of the database, epoch in milliseconds. */
export async function readDatabaseMs({ sql }: Place): Promise<number> {
  const [row] = await sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`
  return Number(row?.now)
}

/**
 * Gives the notices since a moment of the database's clock, the oldest first. By SQL: a request to the gateway would count
 * among those whose errors are watched.
 */
async function readNotices({ sql }: Place, sinceMs: number): Promise<Notice[]> {
  const rows = await sql`
    SELECT name, event, (extract(epoch FROM at) * 1000)::float8 AS "atMs" FROM alert_notices
    WHERE at >= to_timestamp(${sinceMs}::float8 / 1000) ORDER BY at, id`
  return rows as unknown as Notice[]
}

/** When the first notice of that kind since then was seen, as `Notice` has it; null without one. */
export async function findNoticeMs(
  chain: Place,
  { name, event }: Omit<Notice, 'atMs'>,
  sinceMs: number
): Promise<number | null> {
  const notices = await readNotices(chain, sinceMs)
  return notices.find(notice => notice.name === name && notice.event === event)?.atMs ?? null
}

/** Names of the alerts that fired since then, each once. */
export async function readFired(chain: Place, sinceMs: number): Promise<string[]> {
  const notices = await readNotices(chain, sinceMs)
  return [...new Set(notices.filter(({ event }) => event === 'fired').map(({ name }) => name))].toSorted()
}

/** Names of the alerts that a gateway says to fire now, for when PostgreSQL cannot be asked. Ask seldom. */
export async function readFiring(url: string): Promise<string[]> {
  const response = await fetch(`${url}/api/alerts`)
  if (!response.ok) throw new Error(`/api/alerts was answered with ${response.status}`)
  const { items } = (await response.json()) as { readonly items: readonly { name: string; state: string }[] }
  return items.filter(({ state }) => state === 'firing').map(({ name }) => name)
}
