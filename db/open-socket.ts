import { connect, type Socket } from 'node:net'

/** What the driver tells of where to connect; lists, for an address may name several servers. */
interface Target {
  readonly host: readonly string[]
  readonly port: readonly number[]
  /** Of a Unix socket; else false. */
  readonly path: string | false
}

const TIMEOUT_MS = 5_000

/**
 * Builds the driver's way to its sockets, with noDelay: it sets none itself, and a COPY, which is several messages, would
 * wait 40 ms for the end of each. Servers are tried in turn, each call from the next one on, as the driver does.
 */
export function createSocketOpener(): (target: Target) => Promise<Socket> {
  let next = 0

  return async ({ host, port, path }) => {
    if (path) return open(() => connect(path))
    for (let tries = 1; ; tries += 1) {
      const index = next % host.length
      next = index + 1
      const place = { host: host[index] ?? '', port: port[index] ?? 0 }
      try {
        // The driver takes the name for TLS from the socket.
        return Object.assign(await open(() => connect({ ...place, noDelay: true })), place)
      } catch (error) {
        if (tries === host.length) throw error
      }
    }
  }
}

function open(begin: () => Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = begin()
    const timer = setTimeout(() => socket.destroy(toTimeout()), TIMEOUT_MS)
    const settle = (settled: () => void) => {
      clearTimeout(timer)
      socket.removeListener('error', onError)
      settled()
    }
    const onError = (error: Error) => settle(() => reject(error))
    socket.once('error', onError)
    socket.once('connect', () => settle(() => resolve(socket)))
  })
}

function toTimeout(): Error {
  return Object.assign(new Error(`no connection within ${TIMEOUT_MS} ms`), { code: 'CONNECT_TIMEOUT' })
}
