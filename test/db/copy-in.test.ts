import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { databaseFault } from '../../db/database-fault.ts'
import { createWriter } from '../../db/writer.ts'
import { createTestDatabase } from '../_support/database.ts'

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const LINES = Array.from({ length: 40_000 }, (_, id) => `${id}\t${'x'.repeat(100)}\n`).join('')

const uncaught: unknown[] = []
process.on('uncaughtException', error => uncaught.push(error))
process.on('unhandledRejection', error => uncaught.push(error))
const { databaseUrl, sql } = await createTestDatabase(t)
await sql`CREATE TABLE notes (id int PRIMARY KEY, body text)`

const cuts: readonly [how: string, cut: (client: Socket) => void][] = [
  ['reset', client => client.resetAndDestroy()],
  ['ended', client => client.end()]
]
for (const [how, cut] of cuts) {
  t.test(`rule 16: tells that the world failed when the connection is ${how} within the lines of a copy`, async t => {
    const target = new URL(databaseUrl)
    const server = createServer(client => {
      const upstream = connect(Number(target.port), target.hostname)
      upstream.pipe(client)
      let bytes = 0
      client.on('data', data => {
        const before = bytes
        bytes += data.length
        if (bytes < LINES.length / 4) upstream.write(data)
        else if (before < LINES.length / 4) cut(client)
      })
      client.on('error', () => upstream.destroy())
      client.on('close', () => upstream.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const url = new URL(databaseUrl)
    url.port = String((server.address() as AddressInfo).port)
    const writer = createWriter(url.href, { applicationName: 'test-writer' })
    t.teardown(() => writer.close())

    const error = await writer
      .transaction(tx => tx.copy('COPY notes (id, body) FROM STDIN', LINES), LIMITS)
      .catch((reason: unknown) => reason)

    t.equal(databaseFault(error), 'world', String(error))
    await writer.transaction(tx => tx.query(`INSERT INTO notes VALUES (1) ON CONFLICT DO NOTHING`), LIMITS)
    t.strictSame(uncaught, [])
    t.equal((await sql`SELECT FROM notes`).length, 1, 'and nothing of it is there')
  })
}
