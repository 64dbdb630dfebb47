import { connect, type Socket } from 'node:net'
import { dbErrors } from './errors.ts'

/** What the driver tells of where to connect; lists, for an address may name several servers. */
interface Target {
  readonly host: readonly string[]
  readonly port: readonly number[]
  /** Of a Unix socket; else false. */
  readonly path: string | false
}

const TIMEOUT_MS = 5_000

/** The driver's way to its sockets. */
export interface SocketOpener {
  open(target: Target): Promise<Socket>
  /** A socket that opens after it is closed at once: the driver, ended meanwhile, would keep it. */
  close(): void
}

/**
 * Builds a way to sockets with noDelay: the driver sets none itself, and a COPY, which is several messages, would wait
 * 40 ms for the end of each. Servers are tried in turn, each call from the next one on, as the driver does.
 *
 * @param onFailed told when no server could be reached: of several, the driver says nothing (postgres.js 3.4.9)
 */
export function createSocketOpener(onFailed: (error: unknown) => void): SocketOpener {
  let next = 0
  let isClosed = false

  async function connectInTurn({ host, port, path }: Target): Promise<Socket> {
    if (path) return openSocket(() => connect(path))
    for (let tries = 1; ; tries += 1) {
      const index = next % host.length
      next = index + 1
      const place = { host: host[index] ?? '', port: port[index] ?? 0 }
      try {
        // The driver takes the name for TLS from the socket.
        return Object.assign(await openSocket(() => connect({ ...place, noDelay: true })), place)
      } catch (error) {
        if (tries === host.length) throw error
      }
    }
  }

  return {
    async open(target) {
      try {
        const socket = await connectInTurn(target)
        if (!isClosed) return socket
        socket.destroy()
        throw new dbErrors.SMG_DB_CONNECTION_LOST('before it was made')
      } catch (error) {
        onFailed(error)
        throw error
      }
    },
    close() {
      isClosed = true
    }
  }
}

function openSocket(begin: () => Socket): Promise<Socket> {
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
