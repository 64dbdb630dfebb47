import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { endReading, forbidReading, isHandled } from './body-readers.ts'
import { gatewayErrors } from './errors.ts'
import { SECURITY_HEADERS } from './plugins/headers.ts'
import { toProblem } from './problem.ts'

const TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT'

interface ClientErrorOptions {
  /** The longest that a handler takes for its answer once it has the whole request. */
  readonly answerTimeoutMs: number
}

/**
 * Builds the answer to what is no request at all: a problem, then the end of the connection. Where a handler owes the client
 * an answer, a problem would be taken for that, and hide what was written: a client that is slow gets the answer of
 * the handler, one that breaks the protocol none.
 */
export function createClientErrorHandler({ answerTimeoutMs }: ClientErrorOptions) {
  return function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const response = findOwed(socket)
    const isOwed = response !== null && (response.headersSent || isHandled(response.req))
    if (error.code === 'ECONNRESET' || !socket.writable || (isOwed && error.code !== TIMEOUT)) {
      socket.destroy(error)
      return
    }
    if (isOwed) {
      response.once('finish', () => socket.destroySoon())
      // Node looks for those that are late once a request: nothing else would end one that does not take its answer.
      destroyLater(socket, answerTimeoutMs)
      endReading(response.req)
      return
    }
    if (response) forbidReading(response.req)
    const { text, status, headers } = toAnswer(toCoded(error.code ?? ''))
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields.join('')}\r\n${text}`)
    // A client that goes on sending would hold the half that it has.
    destroyLater(socket, 1000)
  }
}

/** Gives the response that the client waits for; null when it waits for none. Node's own handler asks the same field. */
function findOwed(socket: Socket): ServerResponse | null {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? null
}

function destroyLater(socket: Socket, timeoutMs: number) {
  const timer = setTimeout(() => socket.destroy(), timeoutMs).unref()
  socket.once('close', () => clearTimeout(timer))
}

/** Answers an `Expect` that is not 100-continue, which Node would do without a body. */
export function refuseExpectations(server: Server): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const { text, status, headers } = toAnswer(new gatewayErrors.SMG_GATEWAY_EXPECTATION())
    response.writeHead(status, headers).end(text)
  })
}

function toCoded(code: string) {
  if (code === TIMEOUT) return new gatewayErrors.SMG_GATEWAY_SLOW()
  if (code === 'HPE_HEADER_OVERFLOW') return new gatewayErrors.SMG_GATEWAY_HEADERS_TOO_LARGE()
  return new gatewayErrors.SMG_GATEWAY_MALFORMED(code || 'unknown')
}

function toAnswer(error: Error & { code: string; statusCode?: number }) {
  const status = error.statusCode ?? 400
  // There is no target to name: the id stands for this occurrence.
  const problem = toProblem(error, { title: STATUS_CODES[status] ?? 'Error', instance: `urn:uuid:${randomUUID()}` })
  const text = JSON.stringify(problem)
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close'
  }
  return { text, status, headers }
}
