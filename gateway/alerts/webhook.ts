import { createHmac } from 'node:crypto'
import type { Notice } from '../../db/queries/alert-turns.ts'
import { gatewayErrors } from '../errors.ts'
import type { Sink } from './deliveries.ts'
import { post } from './post.ts'
import { createPublicLookup, hasPrivateAddress } from './public-address.ts'
import type { AlertRule } from './types.ts'

/** Where notices are posted, and what they are signed with. */
export interface WebhookSettings {
  readonly url: string
  readonly secret: Buffer
  /** Whether the receiver may be on this machine, in its network or in its cloud: a name may lead there unasked. */
  readonly allowsPrivate: boolean
}

interface WebhookOptions {
  readonly rules: readonly AlertRule[]
  /** Epoch in milliseconds: receivers refuse what is old. */
  readonly now: () => number
  readonly timeoutMs?: number
  /** Default: that of node:dns. */
  readonly resolve?: Parameters<typeof createPublicLookup>[0]
}

const TIMEOUT_MS = 5_000

/**
 * Builds the posting of notices, in the form of Standard Webhooks
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): receivers check
 * `webhook-signature` with a library, and drop what has a `webhook-id` that they know.
 */
export function createWebhook({ url, secret, allowsPrivate }: WebhookSettings, options: WebhookOptions): Sink {
  const { rules, now, timeoutMs = TIMEOUT_MS, resolve } = options
  const target = new URL(url)
  const lookup = allowsPrivate ? undefined : createPublicLookup(resolve)
  // Of an address that is written out no name is looked up.
  const isRefused = !allowsPrivate && hasPrivateAddress(target)

  return {
    async send(notice, signal) {
      if (isRefused) throw new gatewayErrors.SMG_GATEWAY_WEBHOOK_PRIVATE()
      const timestamp = String(Math.floor(now() / 1000))
      const body = JSON.stringify(toPayload(notice, rules))
      const status = await post(target, {
        ...{ body, signal, timeoutMs, lookup },
        headers: {
          'content-type': 'application/json',
          'user-agent': 'smg-kafka',
          'webhook-id': notice.id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${sign(secret, `${notice.id}.${timestamp}.${body}`)}`
        }
      })
      if (status < 200 || status > 299) throw new gatewayErrors.SMG_GATEWAY_WEBHOOK_REFUSED(status)
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
