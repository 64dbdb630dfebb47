import type { BulkRequest } from '../db/queries/dead-letter-requests.ts'
import type { GatewayQueries, GatewayWrites } from '../db/queries/gateway.ts'
import type { Filters } from '../db/queries/list.ts'

interface ManyRequest extends BulkRequest {
  readonly filter: Filters
  readonly dryRun: boolean
}

interface BulkDependencies {
  readonly queries: Pick<GatewayQueries, 'redrivable'>
  readonly writes: Pick<GatewayWrites, 'deadLetters'>
}

// Their locks are held for the time of one statement.
const CHUNK = 500

/**
 * Asks for the redrive of what matches a filter, in portions. When PostgreSQL goes away in between, it rejects: what was asked for by
 * then stays so, and the same request goes on with the rest.
 */
export async function redriveMany({ queries, writes }: BulkDependencies, { dryRun, ...request }: ManyRequest) {
  const { filter, limit, overtake } = request
  const { matched, reasons } = await queries.redrivable.count(filter)
  const all = matched === 0 ? [] : await queries.redrivable.list(filter, limit)

  if (dryRun) {
    return { matched, redriven: 0, skipped: await queries.redrivable.countHeldBack(all, { overtake }), reasons }
  }
  let redriven = 0
  let skipped = 0
  for (let first = 0; first < all.length; first += CHUNK) {
    const some = all.slice(first, first + CHUNK)
    // What was asked for before and is dead again has failed meanwhile: it holds its key back like any other.
    const open = all.slice(first)
    const done = await writes.deadLetters.redriveSome(some, { all: open, ...request })
    redriven += done.redriven
    skipped += done.skipped
  }
  return { matched, redriven, skipped, reasons }
}
