import type { HistoryWriter, SendOutcome } from '../history.ts'
import { createHttpClient } from '../http-client.ts'
import { toOutcome } from '../outcome.ts'
import { retry } from '../postgres.ts'
import type { Member, System } from '../system.ts'

/** Events of a fault's own, sent one at a time; they are in the history as all others are. */
export interface Probe {
  send(gateway: Member, topic: string): Promise<SendOutcome & { readonly ref: string }>
  /** Whether an acknowledged event has its effect within some seconds. */
  isHandled(topic: string, sent: SendOutcome, timeoutMs: number): Promise<boolean>
  close(): void
}

const TIMEOUT_MS = 15_000

/** Builds a probe whose events are named after `name`. */
export function createProbe({ system, history }: { system: System; history: HistoryWriter }, name: string): Probe {
  const client = createHttpClient()
  let seq = 0

  return {
    async send({ url }, topic) {
      seq += 1
      const event = { ref: `${name}-${seq}`, key: name, seq }
      const sentMs = Date.now()
      const answer = await client.post(`${url}/api/produce/${topic}`, JSON.stringify(event), { timeoutMs: TIMEOUT_MS })
      const times = { scheduledMs: sentMs, sentMs, answeredMs: Date.now() }
      const outcome = toOutcome(answer)
      const fixed = { topic, expected: 'effect', from: 'http', idempotencyKey: null, request: -5 } as const
      history.add({ ...event, ...fixed, ...times, outcome })
      return { ...outcome, ref: event.ref }
    },

    async isHandled(topic, sent, timeoutMs) {
      if (sent.kind !== 'acked') return false
      const find = async () => {
        const rows = await system.database.sql`SELECT FROM messages WHERE topic = ${topic} AND id = ${sent.id}`
        if (rows.length === 0) throw new Error('not settled yet')
        return true
      }
      return retry(find, timeoutMs).catch(() => false)
    },
    close: client.close
  }
}
