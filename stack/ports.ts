import { createServer } from 'node:net'

export type FindPort = (preferred: number, host?: string) => Promise<number>

const LAST_PORT = 65_535
const NEIGHBOURS = 100

/**
 * Builds the choice of ports of one stack: the preferred one, else the next free one above it, else any. No port is
 * given twice, also before its taker listens.
 */
export function createPortFinder() {
  const given = new Set<number>()

  return async function findPort(preferred: number, host = '127.0.0.1'): Promise<number> {
    for (let port = preferred; preferred > 0 && port <= Math.min(preferred + NEIGHBOURS, LAST_PORT); port += 1)
      if (claim(port) && (await isFree(port, host))) return port

    for (;;) {
      const port = await listenOnce(0, host)
      if (claim(port)) return port
    }
  }

  /** Before it is tried: who asks meanwhile gets another one. */
  function claim(port: number): boolean {
    return !given.has(port) && given.add(port).has(port)
  }
}

/** Says whether nobody listens on a port. */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return listenOnce(port, host).then(
    () => true,
    () => false
  )
}

function listenOnce(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}
