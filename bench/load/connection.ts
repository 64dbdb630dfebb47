import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** A connection that stays open, with one request at a time. */
export interface Connection {
  /** Sends a whole HTTP/1.1 request. Rejects when the connection breaks, and at every later call. */
  send(request: Buffer): Promise<Answer>
  /** Says whether it broke, or the server closed it: that may be, while nothing is asked. */
  isBroken(): boolean
  close(): void
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

const HEAD_END = '\r\n\r\n'
const STATUS_AT = 'HTTP/1.1 '.length

/**
 * Opens a connection. A client of our own, because it shares the cores with what it measures: it reads a status and a
 * Content-Length, and nothing else of HTTP; an answer in chunks is refused.
 */
export async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = await openSocket(hostname, Number(port))
  let waiting: Waiting | null = null
  let broken: Error | null = null
  let answer: { status: number; length: number; chunks: Buffer[]; received: number } | null = null

  socket.on('data', chunk => {
    try {
      take(chunk)
    } catch (error) {
      socket.destroy(error as Error)
    }
  })
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection was closed')))

  return {
    send(request) {
      if (broken) return Promise.reject(broken)
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(request)
      })
    },
    isBroken: () => broken !== null,
    close: () => void socket.destroy()
  }

  function take(chunk: Buffer) {
    // A server that tells an idle connection that its time is over.
    if (!waiting) throw new Error('an answer without a request')
    if (answer) {
      answer.chunks.push(chunk)
      answer.received += chunk.length
    } else {
      answer = parseHead(chunk)
    }
    if (answer.received < answer.length) return

    const { status, chunks } = answer
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
    const { resolve } = waiting
    answer = null
    waiting = null
    resolve({ status, body })
  }

  function fail(error: Error) {
    broken ??= error
    waiting?.reject(broken)
    waiting = null
  }
}

/** Servers write a head in one piece; it comes in one. */
function parseHead(chunk: Buffer) {
  const end = chunk.indexOf(HEAD_END)
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(chunk.toString('latin1', 0, end)) ?? []
  if (end < 0 || length === undefined) throw new Error('an answer without a Content-Length')

  const body = chunk.subarray(end + HEAD_END.length)
  const status = Number(chunk.toString('latin1', STATUS_AT, STATUS_AT + 3))
  return { status, length: Number(length), chunks: [body], received: body.length }
}

function openSocket(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
