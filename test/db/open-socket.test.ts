import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { databaseFault } from '../../db/database-fault.ts'
import { createSocketOpener } from '../../db/open-socket.ts'
import { createWriter } from '../../db/writer.ts'
import { createTestDatabase } from '../_support/database.ts'

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const { databaseUrl } = await createTestDatabase(t)
const { host, pathname, username, password } = new URL(databaseUrl)

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Ports on which nobody listens. */
async function findFree(t: Test): Promise<number> {
  const server = createServer()
  const port = await listen(t, server)
  await new Promise(resolve => server.close(resolve))
  return port
}

const toUrl = (...hosts: string[]) => `postgres://${username}:${password}@${hosts.join(',')}${pathname}`

function open(t: Test, url: string) {
  const writer = createWriter(url, { applicationName: 'test-writer' })
  t.teardown(() => writer.close())
  return writer
}

t.test('says that no server can be reached as soon as it knows of all of them', async t => {
  const [first, second] = [`127.0.0.1:${await findFree(t)}`, `127.0.0.1:${await findFree(t)}`]
  const timed = async (url: string) => {
    const startedMs = performance.now()
    const error = await open(t, url)
      .transaction(() => Promise.resolve(), LIMITS)
      .catch((reason: unknown) => reason)
    t.match(error, { code: 'SMG_DB_UNAVAILABLE' })
    t.equal(databaseFault(error), 'world')
    return performance.now() - startedMs
  }

  const [one, two] = [await timed(toUrl(first)), await timed(toUrl(first, second))]
  // The driver alone says nothing of two, and what waits for it is given up after 10 s.
  t.ok(two < one + 5_000, `${Math.round(one)} ms for one, ${Math.round(two)} ms for two`)
})

t.test('takes the server that can be reached', async t => {
  const writer = open(t, toUrl(`127.0.0.1:${await findFree(t)}`, host))
  const [row] = await writer.transaction(tx => tx.query('SELECT 1 AS one'), LIMITS)
  t.equal(row?.one, 1)
})

t.test('closes a socket that opens when nobody wants it any more', { timeout: 10_000 }, async t => {
  const server = createServer()
  const port = await listen(t, server)
  const failed: unknown[] = []
  const opener = createSocketOpener(error => failed.push(error))

  const connected = once(server, 'connection')
  const opening = opener.open({ host: ['127.0.0.1'], port: [port], path: false })
  opener.close()

  await t.rejects(opening, { code: 'SMG_DB_CONNECTION_LOST' })
  const [socket] = await connected
  await Promise.all([once(socket, 'close'), socket.resume()])
  t.equal(failed.length, 1)
})
