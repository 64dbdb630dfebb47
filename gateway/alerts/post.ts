import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { gatewayErrors } from '../errors.ts'

interface PostOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** Finds the addresses of a name. Default: Node's own. */
  readonly lookup?: LookupFunction | undefined
}

// A certificate names as many hosts as it likes.
const MAX_MESSAGE = 300

/**
 * Posts a text and gives the status of the answer, also that of a redirect, which nobody follows: it would take the text to
 * where nobody allowed it to go. Each has a connection of its own: `fetch` has no say in what a name leads to.
 *
 * Rejects with the reason of `signal`, with a TimeoutError, or with what the connection met; none of them has the path, nor
 * anything that the receiver sent.
 */
export function post(url: URL, { headers, body, signal, timeoutMs, lookup }: PostOptions): Promise<number> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp

  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const request = send(url, { method: 'POST', headers, lookup, agent: false })
    // Each by itself: on Node 20 a time limit that only AbortSignal.any knows may be collected, and never come.
    const ends = [signal, AbortSignal.timeout(timeoutMs)]
    const stop = () => {
      reject(ends.find(({ aborted }) => aborted)?.reason)
      request.destroy()
    }
    for (const end of ends) end.addEventListener('abort', stop)

    request.on('response', response => {
      resolve(response.statusCode ?? 0)
      // Nothing of it is wanted, and it may have no end.
      response.destroy()
    })
    request.on('error', error => reject(toPlain(error)))
    request.on('close', () => {
      for (const end of ends) end.removeEventListener('abort', stop)
      // Not answered and no error: another protocol was offered, which nobody asked for.
      reject(new gatewayErrors.SMG_GATEWAY_WEBHOOK_REFUSED('nothing'))
    })
    request.end(body)
  })
}

/** Without what Node hangs on: the bytes that it could not parse, which may be an echo of the request, or a certificate. */
function toPlain({ message, code }: Error & { readonly code?: string }): Error {
  return Object.assign(new Error(message.slice(0, MAX_MESSAGE)), { code })
}
