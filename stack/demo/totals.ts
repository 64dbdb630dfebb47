import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.ts'
import { demoErrors } from './errors.ts'
import type { Totals } from './tally.ts'

const POLL_MS = 250
/** So long without another arrival: above the 45 s after which Kafka gives up a consumer that was killed. */
const PATIENCE_MS = 60_000
/** The same once nothing lags: then nothing is on its way any more. */
const SETTLED_PATIENCE_MS = 5_000

/** What has arrived at some time. */
export interface Look {
  readonly totals: Totals
  /** Records that are not settled yet. */
  readonly lag: number
}

/**
 * Looks at what there is before a run.
 *
 * @throws SMG_DEMO_NO_GATEWAY | SMG_DEMO_NO_ACCESS
 */
export async function readFirst(client: Client, gatewayUrl: string): Promise<Look> {
  const { look, reason } = await ask(client)
  if (look) return look
  throw new demoErrors.SMG_DEMO_NO_GATEWAY(gatewayUrl, reason)
}

export interface WaitOptions {
  readonly isComplete: (look: Look) => boolean
  readonly onLook: (look: Look) => void
  /** Ends the waiting. */
  readonly giveUp: AbortSignal
}

/** Waits until everything has arrived, or nothing more comes; gives the last look, null when nobody ever answered. */
export async function waitForArrival(client: Client, options: WaitOptions): Promise<Look | null> {
  const { isComplete, onLook, giveUp } = options
  let last: Look | null = null
  let changedAt = performance.now()

  for (;;) {
    const { look } = await ask(client)
    if (look && !isSame(look, last)) changedAt = performance.now()
    last = look ?? last
    if (look) onLook(look)
    if (look && isComplete(look)) return look

    const patienceMs = last?.lag === 0 ? SETTLED_PATIENCE_MS : PATIENCE_MS
    if (giveUp.aborted || performance.now() - changedAt > patienceMs) return last
    await sleep(POLL_MS, undefined, { signal: giveUp }).catch(() => undefined)
  }
}

async function ask(client: Client): Promise<{ look: Look | null; reason: string }> {
  const { status, body, reason } = await client({ method: 'GET', route: '/api/stats' })
  const { totals, kafka } = (body ?? {}) as { totals?: Totals; kafka?: { consumerLag: number } }
  const look = status === 200 && totals && kafka ? { totals, lag: kafka.consumerLag } : null
  return { look, reason: reason || `it answers ${status}` }
}

function isSame(one: Look, other: Look | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
