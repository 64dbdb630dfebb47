import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { GatewayQueries } from '../db/queries/gateway.ts'
import type { Place } from '../db/queries/list.ts'
import type { SinceRows, TailFilters, TailRow } from '../db/queries/message-tail.ts'
import { toCursor } from './cursor.ts'
import { createEventStream, type EventStream, toEvent } from './event-stream.ts'
import { findNews, matchesPlace, type News, type Standing, toStanding } from './topic-news.ts'

interface StreamsDependencies {
  readonly queries: Pick<GatewayQueries, 'topicStatus' | 'messageTail'>
  readonly maxStreams: number
  /** Between two looks at the database, which all streams share. */
  readonly intervalMs: number
  readonly steadyMs: () => number
  readonly log: FastifyBaseLogger
}

interface StreamRequest {
  readonly filters: TailFilters
  /** The last message that the client has; null for a client that begins. */
  readonly after: Place | null
  /** It ends after so long, and the client comes again with its token. */
  readonly lifetimeMs: number
}

interface Client {
  readonly filters: TailFilters
  readonly stream: EventStream
  readonly endsMs: number
  after: Place | null
  /** From the look on that it began with, it is told what is new. */
  isTold: boolean
}

const BEAT_MS = 15_000
const AWAY_MS = 1_000
const NOTHING: SinceRows = { rows: [], counts: [], cut: [] }

/**
 * Builds the live tail of messages. One look at the database at a time serves all streams: positions say how many
 * messages are new and where, and then the newest of these are read. Nobody streaming, nothing is asked.
 */
export function createMessageStreams(dependencies: StreamsDependencies) {
  const { queries, maxStreams, intervalMs, steadyMs, log } = dependencies
  const clients = new Set<Client>()
  const closing = new AbortController()
  /** As the last look left it; null before the first. */
  let standing: Standing | null = null
  let isAway = false
  let isRunning = false
  let beatMs = steadyMs()

  return { open, close, count: () => clients.size }

  /** Gives the body of a stream; null when there are too many, and after `close`. */
  function open({ filters, after, lifetimeMs }: StreamRequest): Readable | null {
    if (clients.size >= maxStreams || closing.signal.aborted) return null
    const stream = createEventStream({ steadyMs })
    const client = { filters, stream, after, isTold: false, endsMs: steadyMs() + lifetimeMs }
    clients.add(client)
    stream.body.once('close', () => clients.delete(client))
    if (isAway) stream.tell('away')
    if (!isRunning) void run()
    return stream.body
  }

  /** Ends all streams, for good. */
  function close(): void {
    closing.abort()
    for (const { stream } of clients) stream.end()
    clients.clear()
  }

  async function run(): Promise<void> {
    isRunning = true
    while (clients.size > 0) {
      await look()
      endOld()
      await sleep(isAway ? AWAY_MS : intervalMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
    isRunning = false
  }

  async function look(): Promise<void> {
    try {
      const next = toStanding(await queries.topicStatus.all())
      setAway(false)
      await tellNews(standing ? findNews(standing, next) : [])
      standing = next
      for (const client of clients) if (!client.isTold) await join(client, next)
    } catch (error) {
      if (!isAway) log.debug({ err: error }, 'the streams of messages wait for PostgreSQL')
      setAway(true)
    }
  }

  async function tellNews(news: readonly News[]): Promise<void> {
    const told = [...clients].filter(({ isTold }) => isTold)
    const keys = [...new Set(told.flatMap(({ filters }) => filters.key ?? []))]
    const wanted = news.filter(one => told.some(({ filters }) => matchesPlace(filters, one)))
    const isPlain = told.some(({ filters }) => filters.key === undefined)
    const [plain, keyed] = await Promise.all([
      wanted.length > 0 && isPlain ? queries.messageTail.since(wanted, null) : NOTHING,
      wanted.length > 0 && keys.length > 0 ? queries.messageTail.since(wanted, keys) : NOTHING
    ])
    const events = new Map([...plain.rows, ...keyed.rows].map(row => [row, toMessage(row)]))

    for (const { filters, stream } of told) {
      const own = (filters.key === undefined ? plain : keyed).rows.filter(row => matches(filters, row))
      const about = wanted.filter(one => matchesPlace(filters, one))
      const ofKey = keyed.counts.filter(one => matches(filters, one))
      const isCut = about.some(({ topic }) => keyed.cut.includes(topic))
      stream.show(
        own.map(row => events.get(row) ?? ''),
        filters.key === undefined ? sum(about) : isCut ? null : sum(ofKey)
      )
    }
  }

  /** Gives a client that comes again what it missed: what is settled by now, for the rest it is told. */
  async function join(client: Client, now: Standing): Promise<void> {
    const { filters, stream, after } = client
    if (after) {
      const { rows, total } = await findMissed(after, filters)
      const own = rows.filter(({ topic, partition, offset }) => offset < (now.get(`${topic}/${partition}`)?.next ?? 0n))
      stream.show(own.map(toMessage), total === null ? null : total - (rows.length - own.length))
    }
    client.after = null
    client.isTold = true
  }

  /** What one client missed may be too much to look for: it begins anew then, and the others do not wait for it. */
  async function findMissed(after: Place, filters: TailFilters) {
    try {
      return await queries.messageTail.after(after, filters)
    } catch (error) {
      // Where PostgreSQL is away this fails as well, and the client goes on behind its place later.
      await queries.topicStatus.all()
      log.warn({ err: error }, 'a stream of messages begins anew: what it missed was not found')
      return { rows: [], total: null }
    }
  }

  function setAway(next: boolean) {
    if (isAway !== next) for (const { stream } of clients) stream.tell(next ? 'away' : 'back')
    isAway = next
  }

  function endOld() {
    const nowMs = steadyMs()
    const isDue = nowMs - beatMs >= BEAT_MS
    if (isDue) beatMs = nowMs
    for (const client of clients) {
      if (isDue) client.stream.beat()
      if (nowMs < client.endsMs) continue
      client.stream.end()
      clients.delete(client)
    }
  }
}

export type MessageStreams = ReturnType<typeof createMessageStreams>

function toMessage({ item, place }: TailRow): string {
  return toEvent('message', item, toCursor(place) ?? undefined)
}

function sum(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((total, { count }) => total + count, 0)
}

function matches(filters: TailFilters, row: Pick<TailRow, 'topic' | 'partition' | 'key'>): boolean {
  return matchesPlace(filters, row) && (filters.key === undefined || filters.key === row.key)
}
