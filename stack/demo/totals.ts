import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.ts'
import { demoErrors } from './errors.ts'
import type { Totals } from './tally.ts'

const POLL_MS = 250
/** So long without another arrival, and what is not there counts as missing. */
const PATIENCE_MS = 15_000

/**
 * Reads the totals that a run begins with.
 *
 * @throws SMG_DEMO_NO_GATEWAY | SMG_DEMO_NO_ACCESS
 */
export async function readFirstTotals(client: Client, gatewayUrl: string): Promise<Totals> {
  const { totals, reason } = await ask(client)
  if (totals) return totals
  throw new demoErrors.SMG_DEMO_NO_GATEWAY(gatewayUrl, reason)
}

/** Reads the totals until they are complete, or nothing has been added for 15 s; null when nobody ever answered. */
export async function waitForTotals(client: Client, isComplete: (totals: Totals) => boolean): Promise<Totals | null> {
  let last: Totals | null = null
  let deadline = performance.now() + PATIENCE_MS

  while (performance.now() < deadline) {
    const { totals } = await ask(client)
    if (totals && isComplete(totals)) return totals
    if (totals && !isSame(totals, last)) deadline = performance.now() + PATIENCE_MS
    last = totals ?? last
    await sleep(POLL_MS)
  }
  return last
}

async function ask(client: Client): Promise<{ totals: Totals | null; reason: string }> {
  const { status, body, reason } = await client({ method: 'GET', route: '/api/stats' })
  const { totals = null } = (body ?? {}) as { totals?: Totals | null }
  return { totals: status === 200 ? totals : null, reason: reason || `it answers ${status}` }
}

function isSame(totals: Totals, last: Totals | null): boolean {
  return JSON.stringify(totals) === JSON.stringify(last)
}
