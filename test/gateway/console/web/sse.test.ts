import t from 'tap'
import { createEventParser, readStream, type StreamEvent } from '../../../../gateway/console/web/sse.ts'

function parse(...pieces: string[]) {
  const events: StreamEvent[] = []
  const ids: string[] = []
  const take = createEventParser(
    event => events.push(event),
    id => ids.push(id)
  )
  for (const piece of pieces) take(piece)
  return { events, ids }
}

function streamOf(...pieces: string[]): Response {
  const encoder = new TextEncoder()
  return new Response(
    new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(encoder.encode(piece))
        controller.close()
      }
    })
  )
}

t.test('takes events out of the text of a stream', async t => {
  const text =
    ': hello\n\nid: 1\nevent: message\ndata: {"a":\ndata: 1}\n\ndata:x\r\n\r\nevent: away\ndata\n\ndata: not ended'
  const events = [
    { type: 'message', data: '{"a":\n1}' },
    { type: 'message', data: 'x' },
    { type: 'away', data: '' }
  ]

  t.strictSame(parse(text), { events, ids: ['1'] })
  t.strictSame(parse(...text), { events, ids: ['1'] }, 'a character at a time as well')
  t.strictSame(
    parse('event: skipped\n\ndata: y\n\n').events,
    [{ type: 'message', data: 'y' }],
    'a type without data is none'
  )
})

t.test('takes an event of a megabyte in small pieces without reading it again and again', async t => {
  const large = 'x'.repeat(1024 * 1024)
  const pieces = `data: ${large}\n\n`.match(/.{1,1024}|\n/gs) ?? []

  t.equal(parse(...pieces).events[0]?.data.length, large.length)
})

t.test('goes on behind the last event when the stream is lost', async t => {
  const asked: (string | null)[] = []
  const seen: string[] = []
  const states: string[] = []
  const ended = new AbortController()

  await readStream({
    open: async lastId => {
      asked.push(lastId)
      if (asked.length === 2) throw new Error('refused')
      return streamOf(`id: ${asked.length}\ndata: ${asked.length}\n\n`)
    },
    onEvent: ({ data }) => {
      seen.push(data)
      if (data === '3') ended.abort()
    },
    onState: (state, reason) => states.push(reason instanceof Error ? `${state}: ${reason.message}` : state),
    signal: ended.signal,
    backoffMs: 1
  })

  t.strictSame(asked, [null, '1', '1'])
  t.strictSame(seen, ['1', '3'])
  t.strictSame(states, ['opening', 'open', 'lost', 'opening', 'lost: refused', 'opening', 'open'])
})

t.test('gives a stream up that has gone silent', async t => {
  const ended = new AbortController()
  let opened = 0

  await readStream({
    open: async (_lastId, signal) => {
      opened += 1
      if (opened === 2) ended.abort()
      signal.throwIfAborted()
      return new Response(
        new ReadableStream({
          start: controller => signal.addEventListener('abort', () => controller.error(signal.reason))
        })
      )
    },
    onEvent: () => t.fail('nothing came'),
    onState: () => undefined,
    signal: ended.signal,
    backoffMs: 1,
    silenceMs: 5
  })

  t.equal(opened, 2)
})

/** Reads until the stream was opened eight times; gives the wait before the last one, in milliseconds. */
async function readEight(open: () => Response, steadyMs?: number): Promise<number> {
  const ended = new AbortController()
  let opened = 0
  let lostMs = 0
  let waitMs = 0

  await readStream({
    async open() {
      opened += 1
      waitMs = performance.now() - lostMs
      if (opened === 8) ended.abort()
      return open()
    },
    onEvent: () => undefined,
    onState(state) {
      if (state === 'lost') lostMs = performance.now()
    },
    signal: ended.signal,
    backoffMs: 20,
    ...(steadyMs !== undefined && { steadyMs })
  })
  return waitMs
}

t.test('waits longer and longer for a stream that is opened, greets, and is cut', async t => {
  const waitMs = await readEight(() => streamOf(': hello\n\n'))

  t.ok(waitMs >= 900, `${waitMs} ms`)
})

t.test('waits as at first after a stream that gave an event', async t => {
  const waitMs = await readEight(() => streamOf('data: 1\n\n'))

  t.ok(waitMs < 900, `${waitMs} ms`)
})

t.test('waits as at first after a stream that lived for a while', async t => {
  const liveOn = () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise(resolve => setTimeout(resolve, 20))
          controller.close()
        }
      })
    )

  const waitMs = await readEight(liveOn, 1)

  t.ok(waitMs < 900, `${waitMs} ms`)
})

t.test('ends at once when it is aborted between two tries', async t => {
  const ended = new AbortController()

  await readStream({
    open: async () => {
      throw new Error('refused')
    },
    onEvent: () => undefined,
    onState: state => void (state === 'lost' && queueMicrotask(() => ended.abort())),
    signal: ended.signal,
    backoffMs: 1_000_000
  })

  t.pass('it resolved')
})
