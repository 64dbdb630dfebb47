import { demoErrors } from './errors.ts'

/** A request to the gateway. */
interface DemoRequest {
  readonly method: 'GET' | 'POST'
  /** The pattern of its path, for activities: `/api/messages/{id}`. */
  readonly route: string
  /** Without it, `route` is the path. */
  readonly path?: string
  readonly body?: unknown
  /** A 404 is an answer like any other, and no failure. */
  readonly mayBeMissing?: boolean
}

/** What became of a request. */
export interface Exchange {
  readonly request: DemoRequest
  /** Null without an answer. */
  readonly status: number | null
  /** What JSON said; null without any. */
  readonly body: unknown
  readonly startedMs: number
  readonly ms: number
  /** Why there was no answer; empty when there was. */
  readonly reason: string
}

export type Client = (request: DemoRequest) => Promise<Exchange>

export interface ClientOptions {
  readonly gatewayUrl: string
  readonly token: string | null
  /** Told of every request, answered or not. */
  readonly onExchange: (exchange: Exchange) => void
}

const TIMEOUT_MS = 15_000

/** Builds the one way to the gateway. A request without an answer is an exchange too, and no error. */
export function createClient({ gatewayUrl, token, onExchange }: ClientOptions): Client {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }

  /** @throws SMG_DEMO_NO_ACCESS */
  return async function send(request: DemoRequest): Promise<Exchange> {
    const startedMs = Date.now()
    const start = performance.now()
    const answer = await ask(request)
    const exchange = { request, startedMs, ms: performance.now() - start, ...answer }

    onExchange(exchange)
    if (answer.status === 401 || answer.status === 403) {
      throw new demoErrors.SMG_DEMO_NO_ACCESS(answer.status, `${request.method} ${request.route}`)
    }
    return exchange
  }

  async function ask({ method, route, path = route, body }: DemoRequest) {
    try {
      const response = await fetch(`${gatewayUrl}${path}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS)
      })
      return { status: response.status, body: parseBody(await response.text()), reason: '' }
    } catch (error) {
      return { status: null, body: null, reason: toReason(error) }
    }
  }
}

/** Says whether a request did not get what it asked for. */
export function isFailure({ status, request }: Exchange): boolean {
  if (status === 404 && request.mayBeMissing) return false
  return status === null || status >= 400 || status === 207
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // not ours: a proxy, or another program on this port
  }
}

function toReason(thrown: unknown): string {
  const { name, message, cause } = thrown as Error
  if (name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1_000} s`
  const { code } = (cause ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : message
}
