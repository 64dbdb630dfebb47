import { once } from 'node:events'
import { type AddressInfo, createServer, connect as openSocket, type Socket } from 'node:net'
import type { Teardown } from './database.ts'

/** A way to PostgreSQL that can be cut as a host that dies does it. */
export async function createPostgresProxy(t: Teardown, databaseUrl: string) {
  const target = new URL(databaseUrl)
  const clients = new Set<Socket>()
  let isSwallowing = false
  const server = createServer(client => {
    const upstream = openSocket(Number(target.port), target.hostname)
    clients.add(client)
    if (!isSwallowing) client.pipe(upstream).pipe(client)
    client.on('error', () => upstream.destroy())
    client.on('close', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())

  const url = new URL(databaseUrl)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    /** What is sent goes nowhere from now on, and nothing comes back: no end, no reset. */
    swallow: () => {
      isSwallowing = true
      for (const client of clients) client.unpipe().resume()
    },
    /** New connections get through. */
    restore: () => {
      isSwallowing = false
    },
    reset: () => {
      for (const client of clients) client.resetAndDestroy()
      clients.clear()
    }
  }
}
