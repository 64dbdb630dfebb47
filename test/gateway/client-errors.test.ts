import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import type { App } from '../../gateway/types.ts'
import { buildApp, fakeProducer } from './_support/build-app.ts'

const producer = fakeProducer()
const app = await buildApp(t, { producer, now: Date.now })
await app.listen({ host: '127.0.0.1', port: 0 })

/** Sends bytes over a socket of its own and gives all that came back until the server closed it, with the time it took. */
function exchange(t: Test, server: App, bytes: string, { thenEveryMs = 0 } = {}) {
  const { port } = server.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  const startedMs = performance.now()
  let text = ''
  let timer: NodeJS.Timeout | undefined
  t.teardown(() => socket.destroy())

  return new Promise<{ text: string; ms: number }>(resolve => {
    socket.on('data', chunk => {
      text += chunk
    })
    // A reset while we are still writing is a close as well.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(timer)
      resolve({ text, ms: performance.now() - startedMs })
    })
    socket.write(bytes)
    if (thenEveryMs > 0) timer = setInterval(() => socket.write('1'), thenEveryMs)
  })
}

function problemOf(text: string) {
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4))
}

const malformed = [
  { when: 'the request line is garbage', bytes: 'garbage\r\n\r\n', status: 400 },
  { when: 'the method is unknown', bytes: 'FOO / HTTP/1.1\r\nhost: x\r\n\r\n', status: 400 },
  { when: 'the version is unknown', bytes: 'GET / HTTP/9.9\r\nhost: x\r\n\r\n', status: 400 },
  {
    when: 'Content-Length stands beside Transfer-Encoding',
    bytes: 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    status: 400
  },
  {
    when: 'Content-Length stands twice',
    bytes: 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx',
    status: 400
  },
  { when: 'a line ends with LF only', bytes: 'GET / HTTP/1.1\nhost: x\n\n', status: 400 },
  { when: 'a field is folded', bytes: 'GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n', status: 400 },
  { when: 'Host is missing', bytes: 'GET /health HTTP/1.1\r\n\r\n', status: 400 },
  {
    when: 'the header is too large',
    bytes: `GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(70_000)}\r\n\r\n`,
    status: 431
  },
  {
    when: 'another expectation is there',
    bytes: 'POST / HTTP/1.1\r\nhost: x\r\nexpect: coffee\r\ncontent-length: 0\r\n\r\n',
    status: 417
  },
  { when: 'the header never ends', bytes: 'GET / HTTP/1.1\r\nhost: x\r\n', status: 408 }
]

for (const { when, bytes, status } of malformed) {
  t.test(`answers a problem of ${status} and closes the connection when ${when}`, async t => {
    const { text } = await exchange(t, app, bytes)

    t.match(text, new RegExp(`^HTTP/1.1 ${status} `))
    t.match(text, /content-type: application\/problem\+json/i)
    t.match(text, /connection: close/i)
    t.match(problemOf(text), { status, code: /^SMG_GATEWAY_/, type: /^urn:smg-kafka:error:SMG_/, instance: /./ })
  })
}

const head = 'POST /api/produce/user-activities HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'

t.test('cuts a body that comes one byte at a time', async t => {
  const { text, ms } = await exchange(t, app, `${head}content-length: 100000\r\n\r\n{`, { thenEveryMs: 20 })

  t.match(text, /^HTTP\/1.1 408 /)
  t.ok(ms >= 900 && ms < 30_000, `${ms} ms with a limit of 1000`)
  t.strictSame(producer.appended, [])
})

t.test('cuts a body in chunks that never end', async t => {
  const { text } = await exchange(t, app, `${head}transfer-encoding: chunked\r\n\r\n1\r\n{\r\n`)

  t.match(text, /^HTTP\/1.1 408 /)
})

t.test('cuts a header that comes one byte at a time', async t => {
  const { text, ms } = await exchange(t, app, 'GET / HTTP/1.1\r\nhost: x\r\na: ', { thenEveryMs: 20 })

  t.match(text, /^HTTP\/1.1 408 /)
  t.ok(ms < 30_000, `${ms} ms with a limit of 500`)
})

t.test('leaves a client alone that sends two requests with a pause', async t => {
  const request = 'GET /health/live HTTP/1.1\r\nhost: x\r\n'
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  const closed = new Promise(resolve => socket.on('close', resolve))

  socket.write(`${request}\r\n`)
  await new Promise(resolve => setTimeout(resolve, 1_500)) // longer than any limit of a request
  socket.write(`${request}connection: close\r\n\r\n`)
  await closed

  t.equal(text.match(/HTTP\/1.1 200 /g)?.length, 2)
})
