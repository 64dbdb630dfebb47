import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Teardown } from '../_support/database.ts'
import { openProxy } from './proxy.ts'

/** A server that sends everything back, behind a proxy. */
async function startEcho(t: Teardown) {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', bytes => socket.write(bytes))
    socket.on('end', () => socket.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const proxy = await openProxy({ targetPort: port, random: () => 0.5 })
  t.teardown(async () => {
    await proxy.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return proxy
}

function dial(t: Teardown, port: number) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const chunks: Buffer[] = []
  const seen = { error: null as NodeJS.ErrnoException | null, hasEnded: false, isClosed: false }
  socket.on('data', chunk => chunks.push(chunk))
  socket.on('error', error => (seen.error = error))
  socket.on('end', () => (seen.hasEnded = true))
  socket.on('close', () => (seen.isClosed = true))
  t.teardown(() => socket.destroy())
  return { socket, seen, chunks, text: () => Buffer.concat(chunks).toString() }
}

async function until(holds: () => boolean) {
  for (let left = 400; left > 0; left -= 1) {
    if (holds()) return
    await sleep(5)
  }
  throw new Error(`did not come true: ${holds}`)
}

t.test('forwards everything, in both directions, to the last byte', async t => {
  const proxy = await startEcho(t)
  const { socket, seen, chunks } = dial(t, proxy.port)
  const bytes = Buffer.alloc(3_000_000, 'abcdefg')
  socket.end(bytes)
  await until(() => seen.hasEnded)
  t.ok(Buffer.concat(chunks).equals(bytes))
})

t.test('holds a text on its way to the server, and all behind it', async t => {
  const proxy = await startEcho(t)
  await proxy.set({ heldAt: 'COMMIT' })
  const { socket, text } = dial(t, proxy.port)
  socket.write('INSERT;')
  await until(() => text() === 'INSERT;')

  socket.write('COMMIT;')
  await sleep(50)
  socket.write('BEGIN;')
  await sleep(50)
  t.equal(text(), 'INSERT;')

  await proxy.heal()
  await until(() => text() === 'INSERT;COMMIT;BEGIN;')
})

t.test('adds latency to each direction, and keeps the order', async t => {
  const proxy = await startEcho(t)
  await proxy.set({ delayMs: 60, jitterMs: 20 })
  const { socket, text } = dial(t, proxy.port)
  const startedMs = Date.now()
  for (const word of ['a', 'b', 'c', 'd']) socket.write(word)
  await until(() => text() === 'abcd')
  t.ok(Date.now() - startedMs >= 120, `${Date.now() - startedMs} ms`)
})

t.test('lets no more bytes through than it may', async t => {
  const proxy = await startEcho(t)
  await proxy.set({ bytesPerSecond: 100_000 })
  const { socket, chunks } = dial(t, proxy.port)
  const startedMs = Date.now()
  socket.write(Buffer.alloc(40_000))
  await until(() => Buffer.concat(chunks).length === 40_000)
  t.ok(Date.now() - startedMs >= 250, `${Date.now() - startedMs} ms`)
})

t.test('cuts what it forwards into crumbs', async t => {
  const proxy = await startEcho(t)
  await proxy.set({ chunkBytes: 3 })
  const { socket, chunks, text } = dial(t, proxy.port)
  socket.write('0123456789')
  await until(() => text() === '0123456789')
  t.ok(chunks.length > 1, `${chunks.length} chunks`)
})

for (const [stalled, word] of [
  ['to-server', 'what is sent'],
  ['to-client', 'what comes back'],
  ['both', 'everything']
] as const) {
  t.test(`holds ${word} until it is mended`, async t => {
    const proxy = await startEcho(t)
    const { socket, text } = dial(t, proxy.port)
    socket.write('before,')
    await until(() => text() === 'before,')
    await proxy.set({ stalled })
    socket.write('after')
    await sleep(80)
    t.equal(text(), 'before,')
    await proxy.heal()
    await until(() => text() === 'before,after')
  })
}

t.test('accepts and never answers, and lets those go when it is mended', async t => {
  const proxy = await startEcho(t)
  await proxy.set({ accept: 'silence' })
  const { socket, seen, text } = dial(t, proxy.port)
  await once(socket, 'connect')
  socket.write('anybody there?')
  await sleep(80)
  t.equal(text(), '')
  t.equal(seen.isClosed, false)
  await proxy.heal()
  await until(() => seen.isClosed)
})

t.test('refuses connections, and listens on the same port again', async t => {
  const proxy = await startEcho(t)
  await proxy.set({ accept: 'refuse' })
  const refused = dial(t, proxy.port)
  await until(() => refused.seen.isClosed)
  t.equal(refused.seen.error?.code, 'ECONNREFUSED')
  await proxy.heal()
  const { socket, text } = dial(t, proxy.port)
  socket.write('again')
  await until(() => text() === 'again')
})

t.test('resets what is open', async t => {
  const proxy = await startEcho(t)
  const { socket, seen, text } = dial(t, proxy.port)
  socket.write('x')
  await until(() => text() === 'x')
  proxy.reset()
  await until(() => seen.isClosed)
  t.equal(seen.error?.code, 'ECONNRESET')
  await until(() => proxy.connections() === 0)
})

t.test('closes one direction and leaves the other open', async t => {
  const proxy = await startEcho(t)
  const { socket, seen, text } = dial(t, proxy.port)
  socket.write('x')
  await until(() => text() === 'x')
  proxy.halfClose('to-client')
  await until(() => seen.hasEnded)
  t.equal(seen.error, null)
  t.equal(socket.writable, true)
})

t.test('lets the process end after a reset that comes upon a FIN', t => {
  const code = `
    import { createServer, connect } from 'node:net'
    import { openProxy } from ${JSON.stringify(new URL('proxy.ts', import.meta.url).href)}
    const server = createServer(socket => socket.on('error', () => undefined)).listen(0, '127.0.0.1', async () => {
      const proxy = await openProxy({ targetPort: server.address().port })
      const client = connect(proxy.port, '127.0.0.1').on('error', () => undefined)
      client.once('connect', () => setTimeout(async () => {
        proxy.halfClose('to-client')
        proxy.halfClose('to-server')
        await proxy.close()
        client.destroy()
        server.close()
      }, 100))
    })`
  const { status, signal } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    timeout: 20_000,
    killSignal: 'SIGKILL'
  })

  t.strictSame({ status, signal }, { status: 0, signal: null })
  t.end()
})
