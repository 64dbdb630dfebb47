import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Attachment, AttachmentState } from './attach-function.ts'
import type { RunnerMetrics } from './metrics.ts'

/** Why records wait, by the state of their function. */
const REASONS: readonly (readonly [AttachmentState, reason: string])[] = [
  ['starting', 'starting'],
  ['waiting', 'away'],
  ['paused', 'paused'],
  ['stopped', 'stopped']
]

export interface ServerDependencies {
  readonly attachments: readonly Attachment[]
  readonly metrics: RunnerMetrics
  readonly isStopping: () => boolean
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/**
 * Builds the runner's own small server: health for probes, metrics for Prometheus. It holds no data of events. Node's own
 * server, because four fixed answers are not worth the 3 MB that a framework takes in each runner.
 */
export function buildServer({ attachments, metrics, isStopping }: ServerDependencies) {
  const routes: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    '/health/live': () => toJson(200, { status: 'ok' }),

    '/health/ready'() {
      const isReady = !isStopping() && attachments.every(attachment => attachment.state().state !== 'starting')
      return toJson(isReady ? 200 : 503, { status: isReady ? 'ok' : 'down' })
    },

    '/health'() {
      const functions = attachments.map(attachment => ({ topic: attachment.topic, state: attachment.state().state }))
      const isWorking = functions.every(({ state }) => state === 'running')
      const status = isStopping() ? 'down' : isWorking ? 'ok' : 'degraded'
      return toJson(status === 'down' ? 503 : 200, { status, functions })
    },

    async '/metrics'() {
      metrics.lag.reset()
      for (const { topic, lag, state } of attachments) {
        for (const [partition, records] of lag()) metrics.lag.set({ topic, partition: String(partition) }, records)
        const now = state().state
        for (const [waiting, reason] of REASONS) metrics.waiting.set({ topic, reason }, Number(now === waiting))
      }
      return { status: 200, type: metrics.registry.contentType, text: await metrics.registry.metrics() }
    }
  }

  async function answer({ method, url = '' }: IncomingMessage): Promise<Answer> {
    const path = url.split('?', 1)[0] ?? ''
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (!route) return toJson(404, { status: 404, title: 'Not Found' })
    if (method !== 'GET' && method !== 'HEAD') return toJson(405, { status: 405, title: 'Method Not Allowed' })
    return route()
  }

  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 75_000 },
    (request, response) => {
      answer(request).then(
        given => send(response, given, request.method === 'HEAD'),
        () => send(response, toJson(500, { status: 500, title: 'Internal Server Error' }))
      )
    }
  )
  server.setTimeout(15_000)

  return {
    /** Resolves with the port; rejects with Node's error when it cannot be taken. */
    listen: ({ host, port }: { readonly host: string; readonly port: number }) =>
      new Promise<number>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port }, () => {
          server.off('error', reject)
          resolve((server.address() as { port: number }).port)
        })
      }),
    /** Resolves when the last answer was given; connections that ask nothing are closed. */
    close: () => new Promise<void>(resolve => server.close(() => resolve()))
  }
}

function toJson(status: number, body: object): Answer {
  return { status, type: 'application/json; charset=utf-8', text: JSON.stringify(body) }
}

function send(response: ServerResponse, { status, type, text }: Answer, isHead = false): void {
  const allow = status === 405 ? { allow: 'GET, HEAD' } : {}
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...allow })
  response.end(isHead ? undefined : text)
}
