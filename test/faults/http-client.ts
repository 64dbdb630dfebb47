import { Agent, request } from 'node:http'

/** An answer, or why there is none. */
export type HttpAnswer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown }
  /** Nothing can have arrived: nobody listened. */
  | { readonly kind: 'unsent'; readonly reason: string }
  | { readonly kind: 'lost'; readonly reason: string }

/** Posts JSON to a gateway, over connections that stay open. */
export interface HttpClient {
  post(url: string, body: string, options: { timeoutMs: number; headers?: Record<string, string> }): Promise<HttpAnswer>
  close(): void
}

/** Opens a client. */
export function createHttpClient(): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })

  return {
    post: (url, body, { timeoutMs, headers = {} }) =>
      new Promise(resolve => {
        const call = request(url, {
          agent,
          method: 'POST',
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers }
        })
        const timer = setTimeout(() => call.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
        call.on('response', response => {
          const chunks: Buffer[] = []
          response.on('data', chunk => chunks.push(chunk))
          response.on('end', () => {
            clearTimeout(timer)
            resolve(toAnswer(response.statusCode ?? 0, Buffer.concat(chunks).toString()))
          })
          response.on('error', error => resolve({ kind: 'lost', reason: error.message }))
          response.on('aborted', () => resolve({ kind: 'lost', reason: 'the answer broke off' }))
        })
        call.on('error', (error: NodeJS.ErrnoException) => {
          clearTimeout(timer)
          resolve({ kind: error.code === 'ECONNREFUSED' ? 'unsent' : 'lost', reason: error.message })
        })
        call.end(body)
      }),
    close: () => agent.destroy()
  }
}

function toAnswer(status: number, text: string): HttpAnswer {
  try {
    return { kind: 'answer', status, body: JSON.parse(text) }
  } catch {
    return { kind: 'answer', status, body: text }
  }
}
