import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { gatewayErrors } from './errors.ts'
import { SECURITY_HEADERS } from './plugins/headers.ts'
import { toProblem } from './problem.ts'

/** Answers what is no request at all: a problem, then the end of the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const { text, status, headers } = toAnswer(toCoded(error.code ?? ''))
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields.join('')}\r\n${text}`)
  // A client that goes on sending would hold the half that it has.
  setTimeout(() => socket.destroy(), 1000).unref()
}

/** Answers an `Expect` that is not 100-continue, which Node would do without a body. */
export function refuseExpectations(server: Server): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const { text, status, headers } = toAnswer(new gatewayErrors.SMG_GATEWAY_EXPECTATION())
    response.writeHead(status, headers).end(text)
  })
}

function toCoded(code: string) {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new gatewayErrors.SMG_GATEWAY_SLOW()
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
