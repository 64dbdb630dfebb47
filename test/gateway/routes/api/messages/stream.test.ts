import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { pino } from 'pino'
import t from 'tap'
import type { TailFilters } from '../../../../../db/queries/message-tail.ts'
import { toCursor } from '../../../../../gateway/cursor.ts'
import { buildApp, fakeQueries, settings } from '../../../_support/build-app.ts'
import { isDocumented } from '../../../_support/documented.ts'
import { until } from '../../../_support/open-request.ts'

const url = '/api/messages/stream'
const place = { time: '2026-01-31T12:00:00', id: '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b', topic: 'a' }

/** Reads a stream over HTTP, as far as it has come. */
async function open(t: { teardown(end: () => void): void }, app: Awaited<ReturnType<typeof buildApp>>, headers = {}) {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const request = get({ host: '127.0.0.1', port, path: url, headers })
  request.on('error', () => undefined)
  t.teardown(() => request.destroy())
  const [response]: IncomingMessage[] = await once(request, 'response')
  const stream = { response, text: '', isOver: false, destroy: () => request.destroy() }
  response?.setEncoding('utf8').on('data', text => {
    stream.text += text
  })
  response?.on('end', () => {
    stream.isOver = true
  })
  return stream
}

t.test('GET /api/messages/stream', async t => {
  t.test('goes on behind the last event that a client has, with what it may not be cached or held by', async t => {
    const asked: unknown[] = []
    const after = async (...given: [typeof place, TailFilters]) => {
      asked.push(given)
      const row = { topic: 'a', partition: 0, offset: 1n, key: null, place, item: '{"id": "x"}' }
      return { rows: [row], total: 1 }
    }
    const status = { groupId: 'g', topic: 'a', partition: 0, topicId: null, nextOffset: 5n, lastMessageAt: null }
    const counts = { messageCount: 5, rowCount: 0, deadLetterCount: 0, duplicateCount: 0, lostCount: 0 }
    const topicStatus = { all: async () => [{ ...status, ...counts }] }
    const app = await buildApp(t, { queries: fakeQueries({ topicStatus, messageTail: { after } }) })

    const stream = await open(t, app, { 'last-event-id': toCursor(place) })
    await until(() => stream.text.includes('event: message'))

    t.match(stream.response?.headers, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': /./
    })
    t.ok(stream.text.endsWith(`id: ${toCursor(place)}\nevent: message\ndata: {"id": "x"}\n\n`), stream.text)
    t.strictSame(asked, [[place, {}]])
  })

  t.test('ends when the gateway stops, and holds it up no longer', async t => {
    const app = await buildApp(t)
    const stream = await open(t, app)

    await app.close()
    await until(() => stream.isOver)
    t.equal(app.minutes.requests.read().meanMs, null, 'how long it lasted is no time of an answer')
  })

  t.test('does not hold the gateway up when its client reads nothing', async t => {
    let count = 0
    const status = { groupId: 'g', topic: 'a', partition: 0, topicId: null, lastMessageAt: null }
    const counts = { rowCount: 0, deadLetterCount: 0, duplicateCount: 0, lostCount: 0 }
    const item = JSON.stringify('x'.repeat(8_000_000))
    const app = await buildApp(t, {
      settings: { ...settings, timeouts: { ...settings.timeouts, idleMs: 60_000 } },
      queries: fakeQueries({
        topicStatus: {
          all: async () => [{ ...status, ...counts, nextOffset: BigInt(++count), messageCount: count }]
        },
        messageTail: {
          since: async () => ({
            rows: [{ topic: 'a', partition: 0, offset: BigInt(count), key: null, place, item }],
            counts: [],
            cut: []
          })
        }
      })
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1').pause()
    t.teardown(() => socket.destroy())
    socket.on('error', () => undefined)
    socket.write(`GET ${url} HTTP/1.1\r\nhost: x\r\n\r\n`)
    await until(() => app.messageStreams.count() === 1 && count > 3)
    const startedMs = performance.now()

    await app.close()

    t.ok(performance.now() - startedMs < 30_000, `${performance.now() - startedMs} ms`)
  })

  t.test('is over when the client has gone, with the line of its request', async t => {
    const lines: Record<string, unknown>[] = []
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
    const app = await buildApp(t, { log })
    const stream = await open(t, app)

    stream.destroy()
    await until(() => app.messageStreams.count() === 0)
    await until(() => lines.some(({ msg }) => msg === 'request'))

    t.match(
      lines.filter(({ msg }) => msg === 'request'),
      [{ method: 'GET', route: url, status: 200 }]
    )
    await app.inject(`${url}?partition=x`)
    t.equal(lines.filter(({ status }) => status === 400).length, 1)
  })

  t.test('answers 503 to one too many', async t => {
    const app = await buildApp(t)
    for (let count = 0; count < 100; count += 1)
      app.messageStreams.open({ filters: {}, after: null, lifetimeMs: 1_000 })

    const response = await app.inject(url)

    t.match(response.json(), { status: 503, code: 'SMG_GATEWAY_OVERLOADED' })
    t.ok(response.headers['retry-after'])
    isDocumented(t, app, response)
  })

  t.test('answers 400 to what is wrong, and takes no HEAD', async t => {
    const app = await buildApp(t)

    for (const [query, headers] of [
      ['?partition=x', {}],
      ['?from=2026-01-31T12:00:00Z', {}],
      ['', { 'last-event-id': 'x' }]
    ] as const) {
      const response = await app.inject({ url: `${url}${query}`, headers })
      t.match(response.json(), { status: 400, code: 'SMG_GATEWAY_INVALID' }, query)
      isDocumented(t, app, response)
    }
    t.not((await app.inject({ method: 'HEAD', url })).statusCode, 200)
  })
})
