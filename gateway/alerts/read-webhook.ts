import { readFileSync } from 'node:fs'
import { gatewayErrors } from '../errors.ts'
import { hasPrivateAddress } from './public-address.ts'
import type { WebhookSettings } from './webhook.ts'

interface Given {
  readonly ALERT_WEBHOOK_URL?: string
  readonly ALERT_WEBHOOK_SECRET_FILE?: string
  readonly ALERT_WEBHOOK_PRIVATE: boolean
}

const LEAST_BYTES = 24

/**
 * Reads where notices are posted, and the secret that signs them: the text of its file, or behind `whsec_` bytes in base64.
 *
 * @returns null without an address
 * @throws SMG_GATEWAY_BAD_SETTING
 */
export function readWebhook({
  ALERT_WEBHOOK_URL: url,
  ALERT_WEBHOOK_SECRET_FILE: file,
  ALERT_WEBHOOK_PRIVATE: allowsPrivate
}: Given): WebhookSettings | null {
  if (url === undefined) return null
  checkAddress(url, { allowsPrivate })
  const allowed = `a file with ${LEAST_BYTES} bytes or more, drawn at random: openssl rand -base64 32`
  const refuse = (what: string) => new gatewayErrors.SMG_GATEWAY_BAD_SETTING('ALERT_WEBHOOK_SECRET_FILE', what, allowed)
  if (file === undefined) throw refuse('not set while ALERT_WEBHOOK_URL is')

  const secret = toBytes(readText(file, refuse))
  if (secret.length < LEAST_BYTES) throw refuse('a file with too little in it')
  return { url, secret, allowsPrivate }
}

/** Nothing of it is quoted: its path may be a token. Where a name leads is seen with each notice, for it may change. */
function checkAddress(url: string, { allowsPrivate }: { readonly allowsPrivate: boolean }): void {
  const refuse = (what: string, allowed = 'an address with http:// or https://, without a user and a password') =>
    new gatewayErrors.SMG_GATEWAY_BAD_SETTING('ALERT_WEBHOOK_URL', what, allowed)
  if (!URL.canParse(url)) throw refuse('no address')
  const target = new URL(url)
  if (target.username !== '' || target.password !== '') throw refuse('an address with a user or a password')
  if (!allowsPrivate && hasPrivateAddress(target))
    throw refuse('an address that is not public', 'a public one, or any together with ALERT_WEBHOOK_PRIVATE=true')
}

function readText(file: string, refuse: (what: string) => Error): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw Object.assign(refuse(`a file that cannot be read (${(cause as { code?: string }).code})`), { cause })
  }
}

function toBytes(text: string): Buffer {
  return text.startsWith('whsec_') ? Buffer.from(text.slice(6), 'base64') : Buffer.from(text)
}
