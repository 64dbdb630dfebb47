import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** How a link behaves. */
export interface Conditions {
  /** Added to every chunk, in each direction; the jitter is drawn anew for each. Their order is kept. */
  readonly delayMs: number
  readonly jitterMs: number
  /** For each direction of each connection; null: as fast as it goes. */
  readonly bytesPerSecond: number | null
  /** No write is larger; null: as they come. */
  readonly chunkBytes: number | null
  /** What is not forwarded waits, as in a network that is cut, and goes on when it is mended. */
  readonly stalled: 'none' | 'to-server' | 'to-client' | 'both'
  /** On its way to the server, what comes in one piece with this text waits, with all that is behind it. */
  readonly heldAt: string | null
  /** New connections: `silence` accepts them and never answers, `refuse` has nobody listening. */
  readonly accept: 'forward' | 'silence' | 'refuse'
}

/** One link between two parties, with its faults. */
export interface FaultProxy {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number
  /** Changes how it behaves, for what is open as well. */
  set(conditions: Partial<Conditions>): Promise<void>
  /** Ends every open connection with a RST to both sides. */
  reset(): void
  /** Ends one direction of every open connection with a FIN. */
  halfClose(side: 'to-server' | 'to-client'): void
  /** Makes it a link without faults. */
  heal(): Promise<void>
  connections(): number
  close(): Promise<void>
}

export interface ProxyOptions {
  readonly targetPort: number
  /** Where its connections to the server come from, so that a server can tell parties apart; by default 127.0.0.1. */
  readonly fromAddress?: string | undefined
  /** At least 0, below 1. */
  readonly random?: () => number
}

type Direction = 'to-server' | 'to-client'

const HEALTHY: Conditions = {
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecond: null,
  chunkBytes: null,
  stalled: 'none',
  heldAt: null,
  accept: 'forward'
}
const LISTEN_TRIES = 50
const LISTEN_WAIT_MS = 100
// A Kafka batch is larger than this; a socket that is not read holds its sender back.
const READ_AHEAD_BYTES = 256 * 1024

/** Opens a proxy on a free port. */
export async function openProxy({ targetPort, fromAddress, random = Math.random }: ProxyOptions): Promise<FaultProxy> {
  const pairs = new Set<{ client: Socket; server: Socket | null }>()
  const changes = createChanges()
  let conditions = HEALTHY
  let listener: Server | null = await listen(0)
  const address = listener.address()
  const port = typeof address === 'object' && address ? address.port : 0

  async function listen(at: number): Promise<Server> {
    for (let tries = 1; ; tries += 1) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, accept)
      server.listen(at, '127.0.0.1')
      try {
        await once(server, 'listening')
        return server
      } catch (error) {
        // Somebody took the port while nobody listened there.
        if (tries === LISTEN_TRIES) throw error
        await sleep(LISTEN_WAIT_MS)
      }
    }
  }

  function accept(client: Socket) {
    if (conditions.accept === 'refuse') return resetSocket(client)
    const pair: { client: Socket; server: Socket | null } = { client, server: null }
    pairs.add(pair)
    client.on('error', () => undefined)
    client.once('close', () => {
      pairs.delete(pair)
      pair.server?.destroy()
      changes.tell()
    })
    if (conditions.accept === 'silence') return void client.pause()

    const target = { port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }
    const server = connect(fromAddress === undefined ? target : { ...target, localAddress: fromAddress })
    pair.server = server
    server.on('error', () => resetSocket(client))
    server.once('close', () => {
      client.destroy()
      changes.tell()
    })
    void forward(client, server, 'to-server')
    void forward(server, client, 'to-client')
  }

  /** Takes chunks as they come and lets each out when it is due. */
  async function forward(from: Socket, to: Socket, direction: Direction): Promise<void> {
    const queue: { bytes: Buffer; atMs: number }[] = []
    let queuedBytes = 0
    let hasEnded = false
    let dueMs = 0

    from.on('data', (bytes: Buffer) => {
      queue.push({ bytes, atMs: Date.now() })
      queuedBytes += bytes.length
      if (queuedBytes > READ_AHEAD_BYTES) from.pause()
      changes.tell()
    })
    from.once('end', () => {
      hasEnded = true
      changes.tell()
    })

    while (!from.destroyed && !to.destroyed) {
      const [chunk] = queue
      if (isStalled(direction) || !chunk || isHeld(chunk.bytes, direction)) {
        if (!chunk && hasEnded && !isStalled(direction)) return void to.end()
        await changes.next()
        continue
      }
      const { delayMs, jitterMs } = conditions
      if (delayMs + jitterMs > 0) {
        dueMs = Math.max(dueMs, chunk.atMs + delayMs + jitterMs * random())
        const waitMs = dueMs - Date.now()
        if (waitMs > 0) await sleep(waitMs)
        if (isStalled(direction) || isHeld(chunk.bytes, direction)) continue
      }
      queue.shift()
      queuedBytes -= chunk.bytes.length
      if (from.isPaused() && queuedBytes < READ_AHEAD_BYTES / 2) from.resume()
      await write(to, chunk.bytes, direction)
    }
  }

  async function write(to: Socket, bytes: Buffer, direction: Direction): Promise<void> {
    for (let at = 0; at < bytes.length && !to.destroyed; ) {
      const { chunkBytes, bytesPerSecond } = conditions
      // Ten pieces a second are smooth enough.
      const limit = Math.min(chunkBytes ?? bytes.length, Math.max(1, Math.ceil((bytesPerSecond ?? Infinity) / 10)))
      const piece = bytes.subarray(at, at + limit)
      at += piece.length
      if (!to.write(piece)) await untilDrained(to)
      if (bytesPerSecond !== null) await sleep((piece.length / bytesPerSecond) * 1000)
      else if (chunkBytes !== null) await new Promise(resolve => setImmediate(resolve))
      while (isStalled(direction) && !to.destroyed) await changes.next()
    }
  }

  function isStalled(direction: Direction): boolean {
    return conditions.stalled === 'both' || conditions.stalled === direction
  }

  function isHeld(bytes: Buffer, direction: Direction): boolean {
    return conditions.heldAt !== null && direction === 'to-server' && bytes.includes(conditions.heldAt)
  }

  async function set(next: Partial<Conditions>): Promise<void> {
    conditions = { ...conditions, ...next }
    changes.tell()
    if (conditions.accept === 'refuse') {
      const closing = listener
      listener = null
      closing?.close()
    } else listener ??= await listen(port)
  }

  function reset() {
    for (const { client, server } of pairs) {
      resetSocket(client)
      if (server) resetSocket(server)
    }
  }

  return {
    port,
    set,
    reset,
    halfClose(side) {
      for (const { client, server } of pairs) (side === 'to-server' ? server : client)?.end()
    },
    async heal() {
      // Who was answered by silence would wait for ever.
      for (const { client, server } of pairs) if (!server) resetSocket(client)
      await set(HEALTHY)
    },
    connections: () => pairs.size,
    async close() {
      reset()
      const closing = listener
      listener = null
      if (closing) await new Promise(resolve => closing.close(resolve))
    }
  }
}

/**
 * Ends a connection with a RST. Not one whose FIN is on its way: libuv refuses that, Node takes it for done, and at its end
 * the process waits for the socket for ever, at full speed (Node 20.20).
 */
function resetSocket(socket: Socket) {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}

/** Wakes everyone who waits for something to change. */
function createChanges() {
  let waiting: (() => void)[] = []
  return {
    tell() {
      const woken = waiting
      waiting = []
      for (const wake of woken) wake()
    },
    next: () => new Promise<void>(resolve => waiting.push(resolve))
  }
}

/** Resolves when a socket takes bytes again, or never will. */
function untilDrained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    const finish = () => {
      socket.off('drain', finish).off('close', finish)
      resolve()
    }
    socket.on('drain', finish).on('close', finish)
    if (socket.destroyed) finish()
  })
}
