import { createHmac } from 'node:crypto'
import type { Notice } from '../../db/queries/alert-turns.ts'
import { gatewayErrors } from '../errors.ts'
import type { Sink } from './deliveries.ts'
import type { AlertRule } from './types.ts'

/** Where notices are posted, and what they are signed with. */
export interface WebhookSettings {
  readonly url: string
  readonly secret: Buffer
}

interface WebhookOptions {
  readonly rules: readonly AlertRule[]
  /** Epoch in milliseconds: receivers refuse what is old. */
  readonly now: () => number
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5_000

/**
 * Builds the posting of notices, in the form of Standard Webhooks
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): receivers check
 * `webhook-signature` with a library, and drop what has a `webhook-id` that they know.
 */
export function createWebhook({ url, secret }: WebhookSettings, options: WebhookOptions): Sink {
  const { rules, now, timeoutMs = TIMEOUT_MS } = options

  return {
    async send(notice, signal) {
      const timestamp = String(Math.floor(now() / 1000))
      const body = JSON.stringify(toPayload(notice, rules))
      const response = await fetch(url, {
        method: 'POST',
        // A redirect would take the notice to where nobody allowed it to go.
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'smg-kafka',
          'webhook-id': notice.id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${sign(secret, `${notice.id}.${timestamp}.${body}`)}`
        },
        body
      })
      // Nothing of it is wanted, and it may have no end.
      await response.body?.cancel()
      if (!response.ok) throw new gatewayErrors.SMG_GATEWAY_WEBHOOK_REFUSED(response.status)
    }
  }
}

function sign(secret: Buffer, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64')
}

function toPayload(notice: Notice, rules: readonly AlertRule[]) {
  const { id, name, severity, subject, event, value, threshold, atMs, summary } = notice
  const rule = rules.find(one => one.name === name)
  return {
    type: `alert.${event}`,
    timestamp: new Date(atMs).toISOString(),
    data: {
      id,
      name,
      severity,
      subject,
      event,
      value,
      threshold,
      unit: rule?.unit ?? null,
      summary,
      action: rule?.action ?? null
    }
  }
}
