import type { FastifyBaseLogger } from 'fastify'
import type { GatewayQueries } from '../db/queries/gateway.ts'
import type { Backlog } from '../db/queries/outbox.ts'
import type { DatabaseStats, DeadLettersWaiting } from '../db/queries/stats.ts'

/** What costs PostgreSQL more than a lookup. Each is null before it was read, and when that was a minute ago. */
export interface DatabaseDetails {
  readonly stats: DatabaseStats | null
  readonly outbox: Backlog | null
  /** By topic; one without any is missing. */
  readonly deadLetters: ReadonlyMap<string, DeadLettersWaiting> | null
}

interface DetailDependencies {
  readonly queries: Pick<GatewayQueries['stats'], 'database' | 'outbox' | 'deadLetters'>
  readonly log: FastifyBaseLogger
  /** A clock that nobody sets. */
  readonly steadyMs: () => number
}

const MAX_AGE_MS = 60_000

/** Their names in reports. They read much: one that is late says nothing of PostgreSQL, which is probed beside them. */
export const COSTLY_QUERIES: ReadonlySet<string> = new Set(['stats.database', 'stats.outbox', 'stats.deadLetters'])

/** Builds the reading of the details, each by itself: one that takes too long keeps none of the others away. */
export function createDatabaseDetails({ queries, log, steadyMs }: DetailDependencies) {
  const stats = remember('stats', queries.database)
  const outbox = remember('outbox', queries.outbox)
  const deadLetters = remember('dead letters', queries.deadLetters)

  return {
    /** Rejects never: what cannot be read is as it was. */
    async read(): Promise<void> {
      await Promise.all([stats.read(), outbox.read(), deadLetters.read()])
    },
    seen: (): DatabaseDetails => ({ stats: stats.seen(), outbox: outbox.seen(), deadLetters: deadLetters.seen() })
  }

  function remember<T>(detail: string, query: () => Promise<T>) {
    let last: { readonly value: T; readonly atMs: number } | null = null
    return {
      async read(): Promise<void> {
        try {
          last = { value: await query(), atMs: steadyMs() }
        } catch (err) {
          log.debug({ err, detail }, 'a detail of the database cannot be read')
        }
      },
      seen: () => (last && steadyMs() - last.atMs < MAX_AGE_MS ? last.value : null)
    }
  }
}
