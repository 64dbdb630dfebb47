import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Producer } from '../../kafka/types.ts'
import { buildApp, fakeProducer, settings } from './_support/build-app.ts'
import { until } from './_support/open-request.ts'

const path = '/api/produce/user-activities/batch'
const line = '{"userId":"u","action":"a"}\n'
const fields = 'host: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n'
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

/** An app whose Kafka acknowledges after `ackMs`, and a connection to it. */
async function connectTo(t: Test, { ackMs = 0, produceTimeoutMs = 5_000, timeouts = settings.timeouts } = {}) {
  const kept = fakeProducer()
  const append: Producer['append'] = async (topic, records, options) => {
    const results = await kept.append(topic, records, options)
    if (ackMs > 0) await sleep(ackMs)
    return results
  }
  const app = await buildApp(t, {
    producer: { ...kept, append },
    settings: { ...settings, produceTimeoutMs, timeouts }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => socket.destroy())

  const startedMs = performance.now()
  let text = ''
  socket.on('data', piece => {
    text += piece
  })
  socket.on('error', () => undefined)
  const closed = new Promise<{ text: string; ms: number }>(resolve => {
    socket.on('close', () => resolve({ text, ms: performance.now() - startedMs }))
  })
  return { socket, closed, appended: kept.appended }
}

/** Status and body of the one answer that came. */
function toAnswer(text: string) {
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  return { count: text.match(/HTTP\/1\.1/g)?.length, status: Number(head.split(' ')[1]), body: JSON.parse(body) }
}

const slow = { count: 1, status: 408, body: { code: 'SMG_GATEWAY_SLOW', results: [{ index: 0, status: 202 }] } }

t.test('a request that takes too long is told what was written', async t => {
  t.test('when Kafka acknowledges after the time of the request', async t => {
    const { socket, closed, appended } = await connectTo(t, { ackMs: 600 })

    socket.write(`POST ${path} HTTP/1.1\r\n${fields}${chunk(line)}`)
    await sleep(700)
    socket.write(chunk(line))

    const { text, ms } = await closed
    t.match(toAnswer(text), slow)
    t.match(toAnswer(text).body.results, [{ status: 202 }, { index: 1, status: 202 }])
    t.equal(appended.length, 2)
    t.ok(ms >= 1_200 && ms < 5_000, `${ms} ms with a limit of 1000`)
  })

  t.test('when its header was slow, from whose first byte the time counts', async t => {
    const timeouts = { ...settings.timeouts, headersMs: 2_900, requestMs: 3_000, idleMs: 20_000 }
    const { socket, closed, appended } = await connectTo(t, { timeouts })

    socket.write(`POST ${path} HTTP/1.1\r\n`)
    await sleep(2_000)
    socket.write(`${fields}${chunk(line)}`)

    const { text, ms } = await closed
    t.match(toAnswer(text), slow)
    t.equal(appended.length, 1)
    t.ok(ms >= 2_950 && ms < 4_900, `${ms} ms with a limit of 3000`)
  })
})

const breaks = [
  { when: 'its framing is broken', cut: 'ZZ\r\n' },
  { when: 'its end is missing', cut: null }
]
for (const { when, cut } of breaks) {
  t.test(`a body that is being written gets no answer when ${when}`, async t => {
    const timeouts = { ...settings.timeouts, requestMs: 60_000, idleMs: 60_000 }
    const { socket, closed, appended } = await connectTo(t, { timeouts })

    socket.write(`POST ${path} HTTP/1.1\r\n${fields}${chunk(line)}`)
    await until(() => appended.length === 1)
    if (cut === null) socket.end()
    else socket.write(cut)

    const { text, ms } = await closed
    t.equal(text, '')
    t.ok(ms < 30_000, 'before its time is over')
  })

  t.test(`nothing is written of a body that is answered 400 because ${when}`, async t => {
    const { socket, closed, appended } = await connectTo(t)

    // All in one packet: Node finds the fault before any handler runs.
    const bytes = `POST ${path} HTTP/1.1\r\n${fields}${chunk(line)}`
    if (cut === null) socket.end(bytes)
    else socket.write(bytes + cut)

    const { text } = await closed
    await sleep(50)
    t.equal(text === '' ? 'none' : toAnswer(text).status, appended.length > 0 ? 'none' : 400)
  })
}

t.test('what comes behind a request does not answer it', async t => {
  const whole = `POST ${path} HTTP/1.1\r\n${fields}${chunk(line)}0\r\n\r\n`

  t.test('when it is no request: there is no answer at all', async t => {
    const { socket, closed, appended } = await connectTo(t, { ackMs: 300 })

    socket.write(whole)
    await until(() => appended.length === 1)
    socket.write('garbage\r\n\r\n')

    t.equal((await closed).text, '')
  })

  t.test('when it never ends: the answer is that of the request, and the last', async t => {
    const { socket, closed, appended } = await connectTo(t, { ackMs: 1_200 })

    socket.write(whole)
    await until(() => appended.length === 1)
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n')

    const { text, ms } = await closed
    t.match(toAnswer(text), { count: 1, status: 202, body: { results: [{ index: 0, status: 202 }] } })
    t.ok(ms < 4_500, `${ms} ms, and idle connections are closed after 5000`)
  })
})
