import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { App } from '../../../gateway/types.ts'

interface OpenOptions {
  readonly path: string
  readonly headers?: Record<string, string>
  readonly agent?: Agent
}

/** Begins a POST over a socket whose body the test writes piece by piece. `app` listens after that. */
export async function openRequest(t: Test, app: App, { path, headers = {}, agent }: OpenOptions) {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const own = agent ?? new Agent()
  const outgoing = request({ method: 'POST', host: '127.0.0.1', port, path, headers, agent: own })
  outgoing.flushHeaders()
  outgoing.setNoDelay(true)
  // Seen by those who wait for the answer.
  outgoing.on('error', () => undefined)
  t.teardown(() => {
    outgoing.destroy()
    if (!agent) own.destroy()
  })
  const answered = once(outgoing, 'response').then(([response]) => toAnswer(response))
  answered.catch(() => undefined)

  return {
    /** Resolves when the system took it; false when the other side reads no further for now. */
    write: (piece: string | Buffer) => outgoing.write(piece),
    end: (piece: string | Buffer = '') => outgoing.end(piece),
    destroy: () => outgoing.destroy(),
    answered
  }
}

async function toAnswer(response: IncomingMessage) {
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode, headers: response.headers, body: JSON.parse(text) }
}

/** Waits until `holds`, 5 s at most. */
export async function until(holds: () => boolean): Promise<void> {
  for (const startedMs = performance.now(); !holds(); await sleep(5)) {
    if (performance.now() - startedMs > 5_000) throw new Error('it never held')
  }
}
